/** Cuts a byte stream into frames; nothing is believed before its length has been checked. */
import { frameHeader, maxFrameBytes } from '../gen/wire.js';
import { introspectError } from '../errors.js';

export interface Frame {
  type: number;
  /** An unknown type with this flag may be skipped. */
  optional: boolean;
  request: bigint;
  payload: Uint8Array;
}

const optionalFlag = 1;

export class FrameSplitter {
  #held: Buffer = Buffer.alloc(0);
  readonly #largest: number;

  constructor(largest = maxFrameBytes) {
    this.#largest = largest;
  }

  /** Adds received bytes; call next() until it has no more. */
  add(bytes: Uint8Array): void {
    this.#held = this.#held.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#held, bytes]);
  }

  /** The next whole frame, or undefined until more bytes come. Throws on a malformed header. */
  next(): Frame | undefined {
    const held = this.#held;
    if (held.length < frameHeader.size) return undefined;
    const length = held.readUInt32LE(frameHeader.length);
    if (length > this.#largest) throw introspectError('protocol', 'a frame is longer than allowed');
    if (held.readUInt16LE(frameHeader.stream) !== 0) throw introspectError('protocol', 'a frame names a stream');
    const flags = held.readUInt8(frameHeader.flags);
    if ((flags & ~optionalFlag) !== 0) throw introspectError('protocol', 'a frame has unknown flags');
    if (held.length < frameHeader.size + length) return undefined;
    this.#held = held.subarray(frameHeader.size + length);
    return {
      type: held.readUInt8(frameHeader.type),
      optional: (flags & optionalFlag) !== 0,
      request: held.readBigUInt64LE(frameHeader.request),
      payload: held.subarray(frameHeader.size, frameHeader.size + length),
    };
  }
}
