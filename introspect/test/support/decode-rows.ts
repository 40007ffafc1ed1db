/** A strict reader of DATA payloads, written from docs/protocol.md. */
import type { ColumnType } from '../../src/gen/relations.js';

export type Decoded = string | number | bigint | boolean | null;

const utf8 = new TextDecoder('utf-8', { fatal: true });

export function decodeRows(payload: Buffer, types: readonly ColumnType[]): Decoded[][] {
  const count = payload.readUInt32LE(0);
  if (payload.readUInt32LE(4) !== 0) throw new Error('the batch header is not zero');
  const rows: Decoded[][] = [];
  let at = 8;
  for (let i = 0; i < count; i++) {
    const length = payload.readUInt32LE(at);
    if (length % 8 !== 0 || at + length > payload.length || payload.readUInt32LE(at + 4) !== 0)
      throw new Error('bad row header');
    rows.push(decodeRow(payload.subarray(at, at + length), types));
    at += length;
  }
  if (at !== payload.length) throw new Error('bytes after the last row');
  return rows;
}

function decodeRow(row: Buffer, types: readonly ColumnType[]): Decoded[] {
  const slots = 8 + Math.ceil(types.length / 64) * 8;
  return types.map((type, column) => {
    const isNull = ((row[8 + (column >> 3)]! >> (column & 7)) & 1) === 1;
    const at = slots + column * 8;
    if (isNull) return null;
    if (type === 'text')
      return decodeText(row, row.readUInt32LE(at), row.readUInt32LE(at + 4), slots + types.length * 8);
    if (type === 'float8') return row.readDoubleLE(at);
    const value = row.readBigInt64LE(at);
    return type === 'bool' ? value === 1n : value;
  });
}

function decodeText(row: Buffer, offset: number, length: number, fixed: number): string {
  if (offset % 4 !== 0 || offset < fixed || offset + 4 + length > row.length) throw new Error('bad text offset');
  const text = utf8.decode(row.subarray(offset + 4, offset + 4 + length));
  if (text.includes('\0')) throw new Error('a NUL in a text');
  return text;
}
