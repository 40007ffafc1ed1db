/** Reads one ring in chunks into a private buffer; docs/protocol.md, "Telemetry area". */
import { native } from '../machine/native.js';

export interface Chunk {
  /** Number of the first record in words. */
  first: number;
  count: number;
  /** Records asked for that had been overwritten. */
  lost: number;
  /** Records the ring had in all. */
  committed: number;
}

export class RingReader {
  readonly recordWords: number;
  readonly #area: ArrayBuffer;
  readonly #descriptor: number;
  readonly #recordBytes: number;
  readonly #cut: number;
  readonly #result = new Float64Array(5);
  #words = new Uint32Array(0);
  #bytes = new Uint8Array(0);

  /** cut: how many records the ring had at the instant that is read; later ones are not there. */
  constructor(area: ArrayBuffer, descriptor: number, recordBytes: number, cut = Infinity) {
    this.#cut = cut;
    this.#area = area;
    this.#descriptor = descriptor;
    this.#recordBytes = recordBytes;
    this.recordWords = recordBytes / 4;
  }

  /** Records of the last read(): record i starts at word i * recordWords. */
  get words(): Uint32Array {
    return this.#words;
  }
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Copies up to count records from number `from` on. */
  read(from: number, count: number): Chunk {
    if (this.#bytes.length < count * this.#recordBytes) {
      const buffer = new ArrayBuffer(count * this.#recordBytes);
      this.#bytes = new Uint8Array(buffer);
      this.#words = new Uint32Array(buffer);
    }
    const room = this.#bytes.subarray(0, count * this.#recordBytes);
    native().readRing(this.#area, this.#descriptor, this.#recordBytes, from, room, this.#result);
    const [first, got, lost] = [this.#result[0]!, this.#result[1]!, this.#result[2]!];
    const committed = Math.min(this.#result[3]!, this.#cut);
    return { first, count: Math.max(0, Math.min(got, this.#cut - first)), lost, committed };
  }

  /**
   * Number of records written so far, and of the oldest still there (approximately, while the machine runs); and of the
   * first from which on instret never falls.
   */
  extent(): { oldest: number; committed: number; grows: number } {
    const { first, count, committed } = this.read(0, 1);
    return { oldest: count > 0 ? first : committed, committed, grows: this.#result[4]! };
  }

  /** A u64 field of record i of the last read(), as a number (exact below 2^53). */
  number(record: number, offset: number): number {
    const at = record * this.recordWords + offset / 4;
    return this.#words[at + 1]! * 4294967296 + this.#words[at]!;
  }
}
