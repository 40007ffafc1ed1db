/** Frames of docs/protocol.md over a Unix stream: a bounded parser and builders of payloads. */
import { maxFrameBytes } from '../../../schema/layout/wire.js';

export const headerBytes = 16;

export interface Frame {
  type: number;
  request: bigint;
  payload: Buffer;
}

export function encodeFrame(type: number, request: bigint, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(headerBytes);
  head.writeUInt32LE(payload.length, 0);
  head.writeUInt8(type, 4);
  head.writeBigUInt64LE(request, 8);
  return Buffer.concat([head, payload]);
}

/** Cuts a byte stream into frames. Throws on a frame that is longer than the protocol allows. */
export class FrameReader {
  private chunks: Buffer[] = [];
  private held = 0;
  /** Bytes without which nothing can be cut: a header, or header and payload of the frame under way. */
  private needed = headerBytes;

  push(chunk: Buffer): Frame[] {
    this.chunks.push(chunk);
    this.held += chunk.length;
    if (this.held < this.needed) return [];
    let bytes = Buffer.concat(this.chunks);
    const frames: Frame[] = [];
    for (;;) {
      this.needed = headerBytes;
      if (bytes.length < headerBytes) break;
      const length = bytes.readUInt32LE(0);
      if (length > maxFrameBytes) throw new Error(`protocol error: a frame of ${length} bytes`);
      this.needed += length;
      if (bytes.length < this.needed) break;
      const payload = bytes.subarray(headerBytes, this.needed);
      frames.push({ type: bytes.readUInt8(4), request: bytes.readBigUInt64LE(8), payload });
      bytes = bytes.subarray(this.needed);
    }
    this.chunks = [bytes];
    this.held = bytes.length;
    return frames;
  }
}

export class PayloadWriter {
  private readonly parts: Buffer[] = [];

  u16(value: number): this {
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16LE(value);
    this.parts.push(bytes);
    return this;
  }

  u32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    this.parts.push(bytes);
    return this;
  }

  u64(value: bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    this.parts.push(bytes);
    return this;
  }

  str(value: string | Buffer): this {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    this.u32(bytes.length).parts.push(bytes);
    return this;
  }

  done(): Buffer {
    return Buffer.concat(this.parts);
  }
}

/** Reads a payload field by field; running over its end is a protocol error (RangeError of Buffer). */
export class PayloadReader {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  u8(): number {
    return this.bytes.readUInt8(this.advance(1));
  }

  u16(): number {
    return this.bytes.readUInt16LE(this.advance(2));
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.advance(4));
  }

  u64(): bigint {
    return this.bytes.readBigUInt64LE(this.advance(8));
  }

  f64(): number {
    return this.bytes.readDoubleLE(this.advance(8));
  }

  raw(length: number): Buffer {
    const start = this.advance(length);
    if (this.at > this.bytes.length) throw new RangeError('protocol error: a string runs over the end of its frame');
    return this.bytes.subarray(start, this.at);
  }

  blob(): Buffer {
    return this.raw(this.u32());
  }

  str(): string {
    return this.blob().toString('utf8');
  }

  private advance(length: number): number {
    const start = this.at;
    this.at += length;
    return start;
  }
}
