import { describe, expect, test } from 'vitest';
import { locateKallsyms } from '../src/kallsyms/locate.js';
import { decodeSymbols } from '../src/kallsyms/symbols.js';
import { GuestMemory } from '../src/memory/guest-memory.js';
import { kallsymsTables, type TestSymbol } from './support/kallsyms-writer.js';
import { Random } from './support/random.js';

const base = 0xffff_ffff_8000_0000n;
const symbols: TestSymbol[] = Array.from({ length: 700 }, (_, i) => ({
  name: i === 300 ? 'x'.repeat(200) : i % 7 === 0 ? `sys_call_${i}` : `name_${i % 100}_${i}`,
  type: i % 2 ? 't' : 'D',
  address: base + BigInt(i - (i % 3)) * 16n,
}));

function ramWith(tables: Buffer, at: number): GuestMemory {
  const ram = new Uint8Array(new ArrayBuffer(1 << 20));
  // Something that is not zero before the tables, as a kernel image has it.
  ram.fill(0x5a, 0, at);
  ram.set(tables, at);
  return new GuestMemory(ram.buffer, 0x8000_0000);
}

describe.each([
  ['before 6.4', false],
  ['from 6.4 on', true],
])('tables in the order of kernels %s', (_, newOrder) => {
  const memory = ramWith(kallsymsTables(symbols, newOrder), 0x4000);
  const decoded = decodeSymbols(locateKallsyms(memory, memory.base, memory.end)!)!;

  test('every name, type and address comes back', () => {
    expect(decoded.count).toBe(symbols.length);
    for (let i = 0; i < decoded.count; i++) {
      expect(decoded.name(i)).toBe(symbols[i]!.name);
      expect(decoded.type(i)).toBe(symbols[i]!.type);
      expect(BigInt(decoded.address(i))).toBe(BigInt.asIntN(64, symbols[i]!.address));
    }
  });

  test('names and addresses are found', () => {
    expect(decoded.lookup('sys_call_14')).toBe(Number(BigInt.asIntN(64, symbols[14]!.address)));
    expect(decoded.lookup('sys_call_1')).toBeUndefined();
    expect(decoded.lookup('x'.repeat(200))).toBeDefined();
    const first = decoded.address(0);
    expect(decoded.covering(first + 1)).toBe(0);
    expect(decoded.covering(first - 1)).toBeUndefined();
    expect(decoded.size(0)).toBe(48);
    expect(decoded.size(decoded.count - 1)).toBeUndefined();
  });
});

test('damaged tables are refused or decoded within their bounds', () => {
  const random = new Random(11);
  const tables = kallsymsTables(symbols, false);
  let refused = 0;
  for (let round = 0; round < 300; round++) {
    const copy = Buffer.from(tables);
    for (let i = 0; i < 3; i++) copy.writeUInt16LE(random.below(65536), random.below(copy.length - 2));
    const memory = ramWith(copy, 0x4000);
    const found = locateKallsyms(memory, memory.base, memory.end);
    if (!found || !decodeSymbols(found)) refused++;
  }
  expect(refused).toBeGreaterThan(0);
});
