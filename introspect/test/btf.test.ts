import { expect, test } from 'vitest';
import { LayoutError, Types } from '../src/btf/layout.js';
import { locateBtf } from '../src/btf/locate.js';
import { parseBtf } from '../src/btf/parse.js';
import { GuestMemory } from '../src/memory/guest-memory.js';
import { BtfWriter } from './support/btf-writer.js';
import { Random } from './support/random.js';

function sample(): BtfWriter {
  return new BtfWriter()
    .struct('inner', [
      ['a', 'u32'],
      ['b', 'u64'],
    ])
    .struct(
      '-choice',
      [
        ['left', 'u64'],
        ['right', 'inner'],
      ],
      true,
    )
    .struct('outer', [
      ['first', 'u16'],
      ['nested', 'inner'],
      ['-anonymous', '-choice'],
      ['list', 'inner[3]'],
    ])
    .struct('twin', [['x', 'u32']])
    .struct('twin', [
      ['y', 'u32'],
      ['z', 'u64'],
    ])
    .struct('flags', [
      ['low', 'bits 5'],
      ['high', 'bits 3'],
      ['after', 'u32'],
    ]);
}

const types = () => new Types(parseBtf(sample().padTo(1100).blob())!);

test('offsets go through embedded structs, unnamed unions and arrays', () => {
  const outer = types().struct('outer');
  expect(outer.size).toBe(8 + 16 + 16 + 48);
  expect(outer.offset('nested.b')).toBe(16);
  expect(outer.offset('left')).toBe(24);
  expect(outer.offset('right.b')).toBe(32);
  expect(outer.field('list').size).toBe(48);
  expect(outer.optional('missing')).toBeUndefined();
  expect(outer.offsetOfAny('missing', 'first')).toBe(0);
});

test('bit fields carry their place and width', () => {
  const { offset, bitOffset, bitSize } = types().struct('flags').field('high');
  expect([offset, bitOffset, bitSize]).toEqual([0, 5, 3]);
});

test('of several structs with one name, the members asked for decide', () => {
  expect(types().struct('twin', 'z').size).toBe(16);
  expect(types().struct('twin', 'x').size).toBe(8);
  expect(() => types().struct('twin', 'w')).toThrow(LayoutError);
  expect(() => types().struct('absent')).toThrow(/no struct absent/);
});

test('BTF is found in RAM, its decoys are not taken for it', () => {
  const ram = Buffer.alloc(1 << 20);
  const blob = sample().padTo(1100).blob();
  blob.copy(ram, 0x1003, 0, 24);
  blob.copy(ram, 0x8001);
  const memory = new GuestMemory(
    ram.buffer.slice(ram.byteOffset, ram.byteOffset + ram.length) as ArrayBuffer,
    0x8000_0000,
  );
  expect(locateBtf(memory, memory.base, memory.end)?.pa).toBe(0x8000_8001);
  expect(locateBtf(memory, memory.base, memory.base + 0x8000)).toBeUndefined();
});

test('damaged BTF is refused or read without leaving its bounds', () => {
  const blob = sample().padTo(1100).blob();
  const random = new Random(7);
  for (let round = 0; round < 2000; round++) {
    const copy = Buffer.from(blob);
    for (let i = 0; i < 1 + random.below(4); i++) copy.writeUInt32LE(random.next(), random.below(copy.length - 4));
    const parsed = parseBtf(copy.subarray(0, random.below(8) === 0 ? random.below(copy.length) : copy.length));
    if (!parsed) continue;
    const damaged = new Types(parsed);
    for (const path of ['nested.b', 'left', 'right.a', 'list']) {
      try {
        damaged.struct('outer').field(path);
      } catch (error) {
        expect(error).toBeInstanceOf(LayoutError);
      }
    }
  }
});
