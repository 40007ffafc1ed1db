/**
 * Thrown when a decoder follows an address that the guest's memory does not back, or finds a value no sound
 * kernel would hold. The relation that meets it loses a column or a row; nothing else does.
 * Guests can provoke these by the million, so no stack is captured.
 */
export class GuestFault extends Error {
  static {
    Object.defineProperty(this.prototype, 'name', { value: 'GuestFault' });
  }

  constructor(message: string) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = limit;
  }
}

/** Thrown by a Budget that is spent; the scan then ends early and says so. */
export class WalkCut extends GuestFault {}
