/**
 * Columns of fixed records, as data: RowWriter.addRecords() makes rows of them in one loop, without a call for
 * each value. The rings have hundreds of thousands of records.
 */
import { encodeText, type EncodedText } from '../server/encoded-text.js';

/** Records in a row in a chunk of words: step words from one to the next, the other way round when negative. */
export interface RecordRun {
  /** Index of the first record's first word. */
  item: number;
  step: number;
  count: number;
}

/** The rows of a relation straight from records. */
export interface RecordRows {
  /** By column index of the catalogue. */
  columns: readonly RecordColumn[];
  /** What the run taken last lies in. */
  words: () => Uint32Array;
  runs: Iterable<RecordRun>;
}

/** Kinds of columns: a 64-bit field as it stands; the same, null where all bits are set; a small number or a
 * bool; one of few texts, chosen by a small number; a number that a function finds, or null. */
export const wordKind = 0;
export const wordOrNullKind = 1;
export const smallKind = 2;
export const textKind = 3;
export const foundKind = 4;

/** A small number in a record: bits of one word, and flagValue for the highest bit of another. */
export class SmallField {
  private constructor(
    private readonly word: number,
    private readonly shift: number,
    private readonly mask: number,
    /** −1: none. */
    private readonly flagWord: number,
  ) {}

  static none = new SmallField(0, 0, 0, -1);

  /** A byte of the record. */
  static byte(offset: number): SmallField {
    return new SmallField(offset >>> 2, (offset & 3) * 8, 0xff, -1);
  }

  /** The low half of the word at offset. */
  static half(offset: number): SmallField {
    return new SmallField(offset >>> 2, 0, 0xffff, -1);
  }

  /** The highest bit of the 64-bit field at offset. */
  static sign(offset: number): SmallField {
    return new SmallField((offset >>> 2) + 1, 31, 1, -1);
  }

  /** The low half of the 64-bit field at offset, and flagValue when its highest bit is set. */
  static halfAndSign(offset: number): SmallField {
    return new SmallField(offset >>> 2, 0, 0xffff, (offset >>> 2) + 1);
  }

  /** item: index of the record's first word. */
  read(words: Uint32Array, item: number): number {
    const value = (words[item + this.word]! >>> this.shift) & this.mask;
    return this.flagWord >= 0 && words[item + this.flagWord]! >= 0x8000_0000 ? value + flagValue : value;
  }
}

export const flagValue = 0x1_0000;

/** Finds what does not stand in the record. item: index of the record's first word. */
export interface Finder {
  find: (item: number) => number | null;
}

const noText = encodeText('');
const nothing: Finder = { find: () => null };

/** All have the same shape, whatever their kind, so that the loop over them stays quick. */
export class RecordColumn {
  readonly #encoded = new Map<number, EncodedText>();
  #lastKey = -1;
  #lastText = noText;

  private constructor(
    readonly kind: number,
    /** Index of the field's low word in the record. */
    readonly word: number,
    readonly small: SmallField,
    private readonly texts: (key: number) => string,
    readonly finder: Finder,
  ) {}

  /** offset: of the field in the record, in bytes. */
  static word(offset: number): RecordColumn {
    return new RecordColumn(wordKind, offset / 4, SmallField.none, String, nothing);
  }

  static wordOrNull(offset: number): RecordColumn {
    return new RecordColumn(wordOrNullKind, offset / 4, SmallField.none, String, nothing);
  }

  static small(field: SmallField): RecordColumn {
    return new RecordColumn(smallKind, 0, field, String, nothing);
  }

  /** Each text is made once. */
  static text(field: SmallField, texts: (key: number) => string): RecordColumn {
    return new RecordColumn(textKind, 0, field, texts, nothing);
  }

  /** finder gives what fits into 32 bits, and is not negative. */
  static found(finder: Finder): RecordColumn {
    return new RecordColumn(foundKind, 0, SmallField.none, String, finder);
  }

  /** Records that follow each other often have the same. */
  text(key: number): EncodedText {
    if (key === this.#lastKey) return this.#lastText;
    let text = this.#encoded.get(key);
    if (!text) this.#encoded.set(key, (text = encodeText(this.texts(key))));
    this.#lastKey = key;
    return (this.#lastText = text);
  }
}
