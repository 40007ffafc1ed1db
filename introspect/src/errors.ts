/** Every error a client can meet, with its SQLSTATE. Messages name what the user asked for; hints say what to do. */
const states = {
  protocol: '08P01',
  machineUnknown: '42704',
  machineUnreachable: '08001',
  /** Reported by linuxsql-vm itself, with its own SQLSTATE. */
  machine: '58000',
  kernelNotFound: '55000',
  kernelNotReady: '55000',
  layout: '0A000',
  unsupported: '0A000',
  viewUnknown: '55000',
  viewGone: '55000',
  notLoaded: '55000',
  pastUnknown: '55000',
  cancelled: '57014',
  relationUnknown: '42P01',
  conditionUnknown: '22023',
  tooMany: '53400',
  internal: 'XX000',
} as const;

export type ErrorCode = keyof typeof states;

export class IntrospectError extends Error {
  override name = 'IntrospectError';
  readonly code: ErrorCode;
  readonly sqlstate: string;
  readonly detail: string;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, detail = '', hint = '', sqlstate: string = states[code]) {
    super(message);
    this.code = code;
    this.sqlstate = /^[0-9A-Z]{5}$/.test(sqlstate) ? sqlstate : states[code];
    this.detail = detail;
    this.hint = hint;
  }
}

export function introspectError(code: ErrorCode, message: string, hint = '', detail = ''): IntrospectError {
  return new IntrospectError(code, message, detail, hint);
}
