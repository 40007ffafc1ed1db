/**
 * A program under construction: the code and data images that runtime/runtime.S includes, and the layout of the stream
 * of 64-bit words it will write, so that a differing word can be named.
 */
import { asm, loadConstant } from './encode.js';
import { CODE_BASE, DATA_BASE, DUMP_NAMES, DUMP_WORDS, GP, HEADER, OUTPUT_BASE, RUNTIME, TP } from './layout.js';

/** `count` records of `words.length` 64-bit words each, from stream offset `start` on. */
export interface Output {
  readonly start: number;
  readonly words: readonly string[];
  readonly count: number;
  /** What record number `record` is the result of. */
  readonly describe: (record: number) => string;
}

class Image {
  private buffer: Uint8Array = new Uint8Array(1 << 16);
  size: number;

  constructor(size = 0) {
    this.size = size;
  }

  /** A number takes `width` bytes, at most 4; a bigint 8. */
  put(offset: number, value: number | bigint, width: number): void {
    const end = offset + width;
    if (end > this.buffer.length) {
      const larger = new Uint8Array(Math.max(end, this.buffer.length * 2));
      larger.set(this.buffer);
      this.buffer = larger;
    }
    if (typeof value === 'bigint') new DataView(this.buffer.buffer).setBigUint64(offset, value, true);
    else for (let i = 0; i < width; i++) this.buffer[offset + i] = (value >>> (8 * i)) & 0xff;
    this.size = Math.max(this.size, end);
  }

  bytes(): Uint8Array {
    return this.buffer.subarray(0, this.size);
  }
}

export class Program {
  readonly outputs: Output[] = [];
  streamLength = 0;
  private readonly code = new Image();
  private readonly data = new Image(HEADER.end);
  private readonly tables = new Map<readonly (readonly bigint[])[], number>();
  private at = 0;

  constructor() {
    this.data.put(HEADER.flush, BigInt(RUNTIME.flush), 8);
    this.data.put(HEADER.dump, BigInt(RUNTIME.dump), 8);
    this.data.put(HEADER.exit, BigInt(RUNTIME.exit), 8);
  }

  get pc(): number {
    return CODE_BASE + this.at;
  }

  /** Goes on at another address of the code image; what lies between stays zero. */
  seek(pc: number): void {
    this.at = pc - CODE_BASE;
  }

  emit(...words: number[]): void {
    for (const word of words) {
      this.code.put(this.at, word, 4);
      this.at += 4;
    }
  }

  parcel(half: number): void {
    this.code.put(this.at, half, 2);
    this.at += 2;
  }

  align(): void {
    if (this.at & 2) this.parcel(0x0001);
  }

  /** Tuples in the data image, stored once however often they are used; returns the offset from gp. */
  table(tuples: readonly (readonly bigint[])[]): number {
    const known = this.tables.get(tuples);
    if (known !== undefined) return known;
    const offset = this.values(tuples.flat());
    this.tables.set(tuples, offset);
    return offset;
  }

  values(words: readonly bigint[]): number {
    const offset = (this.data.size + 63) & ~63;
    words.forEach((word, i) => this.data.put(offset + 8 * i, word, 8));
    return offset;
  }

  /** rd = gp + offset */
  addressOf(rd: number, offset: number): void {
    this.emit(...loadConstant(rd, offset), asm.add(rd, rd, GP));
  }

  callRuntime(entry: 'flush' | 'dump' | 'exit'): void {
    this.emit(asm.ld(TP, GP, HEADER[entry]), asm.jalr(TP, TP, 0));
  }

  record(words: readonly string[], count: number, describe: (record: number) => string): void {
    this.outputs.push({ start: this.streamLength, words, count, describe });
    this.streamLength += words.length * 8 * count;
  }

  /** Writes all registers to the stream. */
  dump(describe: () => string): void {
    this.callRuntime('dump');
    if (DUMP_NAMES.length !== DUMP_WORDS) throw new Error('dump layout');
    this.record(DUMP_NAMES, 1, describe);
  }

  finish(): { code: Uint8Array; data: Uint8Array } {
    this.callRuntime('exit');
    if (DATA_BASE - CODE_BASE < this.code.size) throw new Error('code image too large');
    if (OUTPUT_BASE - DATA_BASE < this.data.size) throw new Error('data image too large');
    return { code: this.code.bytes(), data: this.data.bytes() };
  }
}

export const hex = (value: bigint): string => `0x${value.toString(16).padStart(16, '0')}`;

/** The first differences of two streams in words a person can act on; undefined when they are equal. */
export function firstDifference(
  program: Program,
  a: { name: string; stream: Buffer },
  b: { name: string; stream: Buffer },
): string | undefined {
  if (a.stream.equals(b.stream) && a.stream.length === program.streamLength) return undefined;
  for (const output of program.outputs) {
    const size = output.words.length * 8;
    for (let record = 0; record < output.count; record++) {
      const start = output.start + record * size;
      const end = start + size;
      if (a.stream.length >= end && b.stream.length >= end && a.stream.compare(b.stream, start, end, start, end) === 0)
        continue;
      return `${output.describe(record)}\n${wordsThatDiffer(output.words, start, a, b)}`;
    }
  }
  return `${a.name} wrote ${a.stream.length} bytes, ${b.name} ${b.stream.length}, expected ${program.streamLength}`;
}

function wordsThatDiffer(
  words: readonly string[],
  start: number,
  a: { name: string; stream: Buffer },
  b: { name: string; stream: Buffer },
): string {
  const lines: string[] = [];
  const word = (s: Buffer, at: number): string => (s.length >= at + 8 ? hex(s.readBigUInt64LE(at)) : '(not written)');
  words.forEach((name, i) => {
    const [x, y] = [word(a.stream, start + 8 * i), word(b.stream, start + 8 * i)];
    if (x !== y) lines.push(`  ${name}: ${a.name} ${x}, ${b.name} ${y}`);
  });
  return lines.length > 0 ? lines.join('\n') : `  neither ${a.name} nor ${b.name} wrote it`;
}
