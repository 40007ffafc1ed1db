/**
 * Rows in the form of docs/protocol.md, "DATA": written straight into the frame that goes out. A writer
 * serves one scan; each batch gets a buffer of its own, because the socket keeps it until it is sent: who sends
 * a frame gives it back to the pool.
 */
import { frameHeader, frameType, maxFrameBytes } from '../gen/wire.js';
import type { ColumnType } from '../gen/relations.js';
import type { Value } from '../scan/value.js';
import { introspectError } from '../errors.js';
import { foundKind, smallKind, textKind, wordOrNullKind, type RecordColumn } from '../scan/record-columns.js';
import type { EncodedText } from './encoded-text.js';
import { FramePool, targetBytes } from './frame-pool.js';

const batchHeader = 8;
/** Up to here a loop is quicker than Buffer.write. */
const shortText = 48;
const rowHeader = 8;
const firstRows = 16;
/** What is expected to be larger gets a buffer of the pool. */
const smallBytes = 8 * 1024;

export class RowWriter {
  readonly #types: readonly ColumnType[];
  readonly #bitmapWords: number;
  readonly #fixedBytes: number;
  readonly #pool: FramePool;
  #buffer: Buffer;
  /** The same bytes as words; rows start at multiples of 8 from the payload, and the payload of the buffer. */
  words: Uint32Array;
  #row = 0;
  /** Between beginRow and endRow. */
  #begun = false;
  #end: number;
  #rows = 0;
  #rowLimit = firstRows;

  constructor(types: readonly ColumnType[], pool = new FramePool()) {
    this.#types = types;
    this.#pool = pool;
    this.#bitmapWords = Math.ceil(types.length / 64) * 2;
    this.#fixedBytes = rowHeader + this.#bitmapWords * 4 + types.length * 8;
    this.#buffer = Buffer.alloc(0);
    this.words = new Uint32Array(0);
    this.#end = frameHeader.size + batchHeader;
  }

  /** A buffer for the first rows of a scan is small, so that one-row answers are cheap. */
  #allocate(): void {
    const wanted = frameHeader.size + batchHeader + this.#rowLimit * (this.#fixedBytes + 64);
    this.#buffer = wanted > smallBytes ? this.#pool.take() : Buffer.allocUnsafe(Math.ceil(wanted / 8) * 8);
    this.#viewWords();
  }

  /** Not zeroed: every byte up to #end is written before the frame goes out. Node aligns its buffers to 8. */
  #viewWords(): void {
    const { buffer, byteOffset, length } = this.#buffer;
    this.words = new Uint32Array(buffer, byteOffset, length / 4);
  }

  get rows(): number {
    return this.#rows;
  }

  /** The batch has reached its size; take() it. */
  get full(): boolean {
    return this.#rows >= this.#rowLimit || this.#end >= frameHeader.size + targetBytes - this.#fixedBytes - 256;
  }

  beginRow(): void {
    this.#row = this.#end;
    this.#begun = true;
    if (this.#buffer.length === 0) this.#allocate();
    this.#reserve(this.#fixedBytes);
    const slots = this.#row / 4 + 2 + this.#bitmapWords;
    for (let word = this.#row / 4; word < slots; word++) this.words[word] = 0;
    this.#end = this.#row + this.#fixedBytes;
  }

  #reserve(bytes: number): void {
    const needed = this.#end + bytes + 8;
    if (needed <= this.#buffer.length) return;
    if (needed > frameHeader.size + maxFrameBytes)
      throw introspectError('internal', 'a row is larger than a frame can hold');
    const larger = Math.min(Math.max(needed, this.#buffer.length * 2), frameHeader.size + maxFrameBytes + 8);
    const bytesSoFar = this.#buffer;
    this.#buffer = Buffer.allocUnsafe(Math.ceil(larger / 8) * 8);
    this.#buffer.set(bytesSoFar.subarray(0, this.#end));
    this.#pool.giveBack(bytesSoFar);
    this.#viewWords();
  }

  /** Takes back a row that was begun and not ended. */
  dropRow(): void {
    if (this.#begun) this.#end = this.#row;
    this.#begun = false;
  }

  /** Index in words of a column's slot in the row under construction. */
  slotWord(slot: number): number {
    return this.#row / 4 + 2 + this.#bitmapWords + slot * 2;
  }

  setNull(slot: number): void {
    const word = this.#row / 4 + 2 + (slot >>> 5);
    this.words[word] = this.words[word]! | (1 << (slot & 31));
    this.setWords(slot, 0, 0);
  }

  setWords(slot: number, low: number, high: number): void {
    const at = this.slotWord(slot);
    this.words[at] = low;
    this.words[at + 1] = high;
  }

  /** A safe integer. */
  setInteger(slot: number, value: number): void {
    const high = Math.floor(value / 4294967296);
    this.setWords(slot, value - high * 4294967296, high);
  }

  /** PostgreSQL's text holds no NUL; one becomes U+FFFD. */
  setText(slot: number, text: string): void {
    if (text.length <= shortText && this.#setAscii(slot, text)) return;
    const sound = text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text;
    // A UTF-16 unit takes at most three bytes.
    this.#reserve(4 + sound.length * 3 + 8);
    const start = this.#end + 4;
    this.#finishText(slot, start, this.#buffer.write(sound, start, 'utf8'));
  }

  /** False, with nothing done, when the text is more than ASCII. */
  #setAscii(slot: number, text: string): boolean {
    this.#reserve(4 + text.length + 8);
    const start = this.#end + 4;
    const buffer = this.#buffer;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80 || unit === 0) return false;
      buffer[start + i] = unit;
    }
    this.#finishText(slot, start, text.length);
    return true;
  }

  /** A text made by encodeText(), copied by words. */
  setEncoded(slot: number, text: EncodedText): void {
    const { words, length } = text;
    this.#reserve(words.length * 4 + 8);
    const at = this.#end / 4;
    const out = this.words;
    for (let i = 0; i < words.length; i++) out[at + i] = words[i]!;
    this.setWords(slot, this.#end - this.#row, length);
    this.#end += words.length * 4;
  }

  /** Text starts after a 4-byte gap, which the reader turns into a varlena header. */
  #finishText(slot: number, start: number, length: number): void {
    this.words[(start - 4) / 4] = 0;
    this.setWords(slot, start - 4 - this.#row, length);
    let end = start + length;
    while ((end & 3) !== 0) this.#buffer[end++] = 0;
    this.#end = end;
  }

  value(slot: number, value: Value): void {
    if (value === null) {
      this.setNull(slot);
      return;
    }
    switch (this.#types[slot]) {
      case 'text':
        this.setText(slot, String(value));
        return;
      case 'float8':
        this.#buffer.writeDoubleLE(Number(value), this.slotWord(slot) * 4);
        return;
      case 'bool':
        this.setWords(slot, value ? 1 : 0, 0);
        return;
      case 'int4':
        this.setInteger(slot, Number(value) | 0);
        return;
      default:
        if (typeof value === 'bigint') {
          this.setWords(slot, Number(value & 0xffff_ffffn), Number((value >> 32n) & 0xffff_ffffn));
        } else if (Number.isSafeInteger(value)) {
          this.setInteger(slot, value as number);
        } else {
          // A word that was no address, or a count beyond 2^53.
          this.setNull(slot);
        }
    }
  }

  endRow(): void {
    if ((this.#end & 4) !== 0) {
      this.words[this.#end / 4] = 0;
      this.#end += 4;
    }
    this.words[this.#row / 4] = this.#end - this.#row;
    this.#rows++;
    this.#begun = false;
  }

  /**
   * Rows of records: count of them at most, the first at index item of from, each step words on, until the batch is full.
   * Returns how many.
   */
  addRecords(columns: readonly RecordColumn[], from: Uint32Array, item: number, step: number, count: number): number {
    let added = 0;
    for (; added < count && !this.full; added++) this.#addRecord(columns, from, item + added * step);
    return added;
  }

  #addRecord(columns: readonly RecordColumn[], from: Uint32Array, item: number): void {
    this.beginRow();
    for (let slot = 0; slot < columns.length; slot++) {
      const column = columns[slot]!;
      switch (column.kind) {
        case smallKind:
          this.setWords(slot, column.small.read(from, item), 0);
          break;
        case textKind:
          this.setEncoded(slot, column.text(column.small.read(from, item)));
          break;
        case foundKind:
          this.#setFound(slot, column.finder.find(item));
          break;
        default: {
          const low = from[item + column.word]!;
          const high = from[item + column.word + 1]!;
          if (column.kind === wordOrNullKind && low === 0xffff_ffff && high === 0xffff_ffff) this.setNull(slot);
          else this.setWords(slot, low, high);
        }
      }
    }
    this.endRow();
  }

  #setFound(slot: number, value: number | null): void {
    if (value === null) this.setNull(slot);
    else this.setWords(slot, value, 0);
  }

  /** The finished DATA frame; the writer goes on with a new, larger batch. */
  take(request: bigint): Buffer {
    const frame = this.#buffer.subarray(0, this.#end);
    const length = this.#end - frameHeader.size;
    frame.writeUInt32LE(length, frameHeader.length);
    // Type, then zero flags and stream.
    frame.writeUInt32LE(frameType.data, frameHeader.type);
    frame.writeBigUInt64LE(request, frameHeader.request);
    frame.writeUInt32LE(this.#rows, frameHeader.size);
    frame.writeUInt32LE(0, frameHeader.size + 4);
    this.#rowLimit = Math.min(this.#rowLimit * 2, 65536);
    this.#buffer = Buffer.alloc(0);
    this.#end = frameHeader.size + batchHeader;
    this.#rows = 0;
    return frame;
  }
}
