/** Every error a client can meet, with its SQLSTATE. Messages name what the user asked for; hints say what to do. */
const states = {
  protocol: '08P01',
  machineUnknown: '42704',
  machineUnreachable: '08001',
  kernelNotFound: '55000',
  kernelNotReady: '55000',
  layout: '0A000',
  guestDamaged: 'XX001',
  viewGone: '55000',
  cancelled: '57014',
  relationUnknown: '42P01',
  conditionUnknown: '22023',
  internal: 'XX000',
} as const;

export type ErrorCode = keyof typeof states;

export class IntrospectError extends Error {
  override name = 'IntrospectError';
  readonly code: ErrorCode;
  readonly sqlstate: string;
  readonly detail: string;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, detail = '', hint = '') {
    super(message);
    this.code = code;
    this.sqlstate = states[code];
    this.detail = detail;
    this.hint = hint;
  }
}

export function introspectError(code: ErrorCode, message: string, hint = '', detail = ''): IntrospectError {
  return new IntrospectError(code, message, detail, hint);
}
