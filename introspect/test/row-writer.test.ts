import { expect, test } from 'vitest';
import { frameHeader, frameType } from '../src/gen/wire.js';
import type { ColumnType } from '../src/gen/relations.js';
import { RowWriter } from '../src/server/row-writer.js';
import { encodeText } from '../src/server/encoded-text.js';
import { batchBytes, FramePool } from '../src/server/frame-pool.js';
import { decodeRows } from './support/decode-rows.js';

const types: ColumnType[] = ['int8', 'text', 'float8', 'bool', 'int4', 'text'];
const rows = [
  [1, 'plain', 1.5, true, -7, ''],
  [-9223372036854775808n, 'é😀', -0.25, false, 2147483647, 'x'.repeat(100)],
  [null, null, null, null, null, null],
  [9007199254740993n, 'a'.repeat(70_000), Infinity, true, 0, 'tail'],
];

function write(writer: RowWriter, row: (typeof rows)[number]): void {
  writer.beginRow();
  row.forEach((value, slot) => writer.value(slot, value));
  writer.endRow();
}

test('values come back from the frame as they went in', () => {
  const writer = new RowWriter(types);
  for (const row of rows) write(writer, row);
  const frame = writer.take(7n);
  expect(frame.readUInt8(frameHeader.type)).toBe(frameType.data);
  expect(frame.readBigUInt64LE(frameHeader.request)).toBe(7n);
  expect(frame.readUInt32LE(frameHeader.length)).toBe(frame.length - frameHeader.size);
  const expected = rows.map((row) =>
    row.map((value, i) => (types[i]!.startsWith('int') && value !== null ? BigInt(value as number) : value)),
  );
  expect(decodeRows(frame.subarray(frameHeader.size), types)).toEqual(expected);
});

test('encoded texts equal written ones', () => {
  const writer = new RowWriter(['text', 'text']);
  for (const text of ['', 'a', 'abcd', 'Store page fault', 'ü']) {
    writer.beginRow();
    writer.setText(0, text);
    writer.setEncoded(1, encodeText(text));
    writer.endRow();
  }
  for (const [written, encoded] of decodeRows(writer.take(1n).subarray(frameHeader.size), ['text', 'text']))
    expect(encoded).toBe(written);
});

test('null bits beyond 64 columns have their own words', () => {
  const wide = Array.from({ length: 130 }, (): ColumnType => 'int8');
  const writer = new RowWriter(wide);
  writer.beginRow();
  for (let slot = 0; slot < 130; slot++) writer.value(slot, slot % 3 === 0 ? null : slot);
  writer.endRow();
  const [row] = decodeRows(writer.take(1n).subarray(frameHeader.size), wide);
  expect(row).toEqual(wide.map((_, slot) => (slot % 3 === 0 ? null : BigInt(slot))));
});

test('batches start at 16 rows, double, and stay near 64 KiB', () => {
  const writer = new RowWriter(types);
  const sizes: number[] = [];
  for (let batch = 0; batch < 9; batch++) {
    while (!writer.full) write(writer, rows[0]!);
    const count = writer.rows;
    const frame = writer.take(1n);
    expect(frame.length).toBeLessThanOrEqual(frameHeader.size + 64 * 1024);
    sizes.push(count);
  }
  expect(sizes.slice(0, 5)).toEqual([16, 32, 64, 128, 256]);
  expect(sizes[8]).toBe(sizes[7]);
});

test('what no column of PostgreSQL can hold does not reach it', () => {
  const writer = new RowWriter(['text', 'text', 'int4', 'int8']);
  writer.beginRow();
  writer.value(0, 'a\0b');
  writer.value(1, `${'c'.repeat(60)}\0`);
  writer.value(2, 2 ** 40 + 5);
  writer.value(3, NaN);
  writer.endRow();
  const [row] = decodeRows(writer.take(1n).subarray(frameHeader.size), ['text', 'text', 'int4', 'int8']);
  expect(row).toEqual(['a\ufffdb', `${'c'.repeat(60)}\ufffd`, 5n, null]);
});

test('a row that is dropped leaves no trace', () => {
  const writer = new RowWriter(['text']);
  for (const text of ['kept', 'dropped', 'kept too']) {
    writer.beginRow();
    writer.setText(0, text);
    if (text === 'dropped') writer.dropRow();
    else writer.endRow();
  }
  expect(decodeRows(writer.take(1n).subarray(frameHeader.size), ['text'])).toEqual([['kept'], ['kept too']]);
});

test('a buffer is used again when its frame was given back, and not before', () => {
  const pool = new FramePool();
  const [first, second] = [pool.take(), pool.take()];
  expect(first.length).toBe(batchBytes);
  expect(second.buffer).not.toBe(first.buffer);
  pool.giveBack(first.subarray(0, 100));
  const third = pool.take();
  expect(third.buffer).toBe(first.buffer);
  expect(third.length).toBe(batchBytes);
});

test('what is given back twice, or was never lent, is not lent to two', () => {
  const pool = new FramePool();
  const lent = pool.take();
  for (const frame of [lent, lent, Buffer.from(new ArrayBuffer(batchBytes))]) pool.giveBack(frame);
  expect(pool.take().buffer).toBe(lent.buffer);
  expect(pool.take().buffer).not.toBe(lent.buffer);
});
