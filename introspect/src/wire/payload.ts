/** Payload fields of docs/protocol.md, "Framing": a reader that checks every length, and a writer. */
import { frameHeader } from '../gen/wire.js';
import { introspectError } from '../errors.js';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads a payload field by field; every malformation is a protocol error (08P01). */
export class PayloadReader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #take(size: number): number {
    const at = this.#at;
    if (at + size > this.#bytes.length) throw introspectError('protocol', 'a frame ends before its fields do');
    this.#at = at + size;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }
  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true);
  }
  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Length-prefixed UTF-8 without NUL. */
  text(): string {
    const bytes = this.bytes(this.u32());
    if (bytes.includes(0)) throw introspectError('protocol', 'a text holds a NUL byte');
    try {
      return utf8.decode(bytes);
    } catch {
      throw introspectError('protocol', 'a text is not UTF-8');
    }
  }

  /** What has not been read yet; it stays unread. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }

  /** Everything has to have been read. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw introspectError('protocol', 'a frame has bytes after its fields');
  }
}

/** Builds one frame, header included. */
export class FrameWriter {
  /** Not zeroed: every byte up to #end is written. */
  #buffer: Buffer = Buffer.allocUnsafe(128);
  #end: number = frameHeader.size;

  /** Where the next `size` bytes go. To be called before #buffer is looked at: it may replace it. */
  #room(size: number): number {
    const at = this.#end;
    if (at + size > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(at + size, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, at);
      this.#buffer = larger;
    }
    this.#end = at + size;
    return at;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#buffer.writeUInt8(value, at);
    return this;
  }
  u16(value: number): this {
    const at = this.#room(2);
    this.#buffer.writeUInt16LE(value, at);
    return this;
  }
  u32(value: number): this {
    const at = this.#room(4);
    this.#buffer.writeUInt32LE(value, at);
    return this;
  }
  u64(value: bigint): this {
    const at = this.#room(8);
    this.#buffer.writeBigUInt64LE(BigInt.asUintN(64, value), at);
    return this;
  }
  f64(value: number): this {
    const at = this.#room(8);
    this.#buffer.writeDoubleLE(value, at);
    return this;
  }
  ascii(value: string): this {
    const at = this.#room(value.length);
    this.#buffer.write(value, at, 'latin1');
    return this;
  }
  text(value: string): this {
    const bytes = Buffer.from(value.replaceAll('\0', '\ufffd'), 'utf8');
    this.u32(bytes.length);
    const at = this.#room(bytes.length);
    bytes.copy(this.#buffer, at);
    return this;
  }

  /** The frame, ready to send. */
  frame(type: number, request: bigint): Buffer {
    const out = this.#buffer.subarray(0, this.#end);
    out.writeUInt32LE(this.#end - frameHeader.size, frameHeader.length);
    out.writeUInt8(type, frameHeader.type);
    out.writeUInt8(0, frameHeader.flags);
    out.writeUInt16LE(0, frameHeader.stream);
    out.writeBigUInt64LE(request, frameHeader.request);
    return out;
  }
}
