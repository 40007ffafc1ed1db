/** A text as it stands in a row of a DATA frame: the gap, then the bytes, padded to whole words. */
export interface EncodedText {
  words: Uint32Array;
  length: number;
}

export function encodeText(text: string): EncodedText {
  const bytes = Buffer.from(text, 'utf8');
  const words = new Uint32Array(1 + Math.ceil(bytes.length / 4));
  new Uint8Array(words.buffer).set(bytes, 4);
  return { words, length: bytes.length };
}
