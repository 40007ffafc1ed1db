/** Bytes of the row protocol for the test peer: a bounded reader, an appending writer, frames from a stream. */
import { frameHeader, maxFrameBytes } from '../../introspect/src/gen/wire.js';

export class Reader {
  at = 0;
  constructor(readonly bytes: Buffer) {}

  private step(size: number): number {
    const at = this.at;
    if (at + size > this.bytes.length) throw new RangeError('a payload is too short');
    this.at += size;
    return at;
  }
  u8 = (): number => this.bytes.readUInt8(this.step(1));
  u16 = (): number => this.bytes.readUInt16LE(this.step(2));
  u32 = (): number => this.bytes.readUInt32LE(this.step(4));
  u64 = (): bigint => this.bytes.readBigUInt64LE(this.step(8));
  i64 = (): bigint => this.bytes.readBigInt64LE(this.step(8));
  f64 = (): number => this.bytes.readDoubleLE(this.step(8));
  text(): string {
    const length = this.u32();
    const at = this.step(length);
    return this.bytes.toString('utf8', at, at + length);
  }
}

export class Writer {
  private readonly parts: Buffer[] = [];

  private number(size: number, write: (part: Buffer) => void): this {
    const part = Buffer.alloc(size);
    write(part);
    this.parts.push(part);
    return this;
  }
  u8 = (value: number): this => this.number(1, (part) => part.writeUInt8(value));
  u16 = (value: number): this => this.number(2, (part) => part.writeUInt16LE(value));
  u32 = (value: number): this => this.number(4, (part) => part.writeUInt32LE(value));
  u64 = (value: bigint): this => this.number(8, (part) => part.writeBigUInt64LE(value));
  f64 = (value: number): this => this.number(8, (part) => part.writeDoubleLE(value));
  raw(bytes: Buffer): this {
    this.parts.push(bytes);
    return this;
  }
  text(value: string): this {
    const bytes = Buffer.from(value, 'utf8');
    return this.u32(bytes.length).raw(bytes);
  }
  done = (): Buffer => Buffer.concat(this.parts);
}

export interface Frame {
  type: number;
  request: bigint;
  payload: Buffer;
}

export function frameBytes(type: number, request: bigint, payload: Buffer): Buffer {
  const header = Buffer.alloc(frameHeader.size);
  header.writeUInt32LE(payload.length, frameHeader.length);
  header.writeUInt8(type, frameHeader.type);
  header.writeBigUInt64LE(request, frameHeader.request);
  return Buffer.concat([header, payload]);
}

/** Takes whole frames off the front of a stream. */
export class FrameSplitter {
  private pending: Buffer = Buffer.alloc(0);

  push(bytes: Buffer): Frame[] {
    this.pending = this.pending.length === 0 ? bytes : Buffer.concat([this.pending, bytes]);
    const frames: Frame[] = [];
    while (this.pending.length >= frameHeader.size) {
      const length = this.pending.readUInt32LE(frameHeader.length);
      if (length > maxFrameBytes) throw new RangeError('a frame is too long');
      const end = frameHeader.size + length;
      if (this.pending.length < end) break;
      frames.push({
        type: this.pending.readUInt8(frameHeader.type),
        request: this.pending.readBigUInt64LE(frameHeader.request),
        payload: Buffer.from(this.pending.subarray(frameHeader.size, end)),
      });
      this.pending = this.pending.subarray(end);
    }
    return frames;
  }
}
