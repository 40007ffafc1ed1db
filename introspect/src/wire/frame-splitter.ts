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
  /** Received and not yet given, in order; joined only when a whole frame is there. */
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** How many bytes the next step needs: a header, or a header and its payload. */
  #needed: number = frameHeader.size;
  readonly #largest: number;

  constructor(largest = maxFrameBytes) {
    this.#largest = largest;
  }

  /** Adds received bytes, which the caller leaves alone from now on; call next() until it has no more. */
  add(bytes: Buffer): void {
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
  }

  /** The next whole frame, or undefined until more bytes come. Throws on a malformed header. */
  next(): Frame | undefined {
    if (this.#bytes < this.#needed) return undefined;
    const held = this.#joined();
    const length = held.readUInt32LE(frameHeader.length);
    if (length > this.#largest) throw introspectError('protocol', 'a frame is longer than allowed');
    if (held.readUInt16LE(frameHeader.stream) !== 0) throw introspectError('protocol', 'a frame names a stream');
    const flags = held.readUInt8(frameHeader.flags);
    if ((flags & ~optionalFlag) !== 0) throw introspectError('protocol', 'a frame has unknown flags');
    this.#needed = frameHeader.size + length;
    if (held.length < this.#needed) return undefined;
    this.#chunks = held.length > this.#needed ? [held.subarray(this.#needed)] : [];
    this.#bytes = held.length - this.#needed;
    this.#needed = frameHeader.size;
    return {
      type: held.readUInt8(frameHeader.type),
      optional: (flags & optionalFlag) !== 0,
      request: held.readBigUInt64LE(frameHeader.request),
      payload: held.subarray(frameHeader.size, frameHeader.size + length),
    };
  }

  #joined(): Buffer {
    const [first] = this.#chunks;
    if (first && this.#chunks.length === 1) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
