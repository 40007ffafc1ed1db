import { describe, expect, test } from 'vitest';
import { consoleRecord, pageFaultRecord, trapRecord } from '../src/gen/telemetry.js';
import type { RelationName } from '../src/gen/relations.js';
import { frameHeader } from '../src/gen/wire.js';
import { Budget } from '../src/memory/budget.js';
import { console } from '../src/relations/console.js';
import { mmuHotspots } from '../src/relations/mmu-hotspots.js';
import { pageFaults, type LateLook } from '../src/relations/page-faults.js';
import { traps } from '../src/relations/traps.js';
import { Cursor } from '../src/scan/cursor.js';
import { compileQual, pinColumn, type Qual } from '../src/scan/qual.js';
import { relationNamed, type RowSource, type ScanRequest } from '../src/scan/row-source.js';
import { RowWriter } from '../src/server/row-writer.js';
import type { TaskAtContext } from '../src/telemetry/context-pids.js';
import { FaultLog } from '../src/telemetry/fault-log.js';
import { decodeRows, type Decoded } from './support/decode-rows.js';
import { columnIndex } from './support/read-rows.js';
import { appendConsole, appendFault, appendTrap, resolveFault, RingWriter } from './support/ring-writer.js';

interface ScanOptions {
  qual?: Qual;
  order?: { column: string; descending: boolean };
  limit?: number;
}

/** Rows through the real row writer, so that direct writes are tested too. */
function scan(name: RelationName, open: (request: ScanRequest) => RowSource, options: ScanOptions = {}) {
  const relation = relationNamed(name)!;
  const qual: Qual = options.qual ?? { kind: 'true' };
  const budget = new Budget(1_000_000);
  const source = open({ budget, pin: (column) => pinColumn(qual, columnIndex(name, column)), order: options.order });
  const sort = options.order && {
    column: columnIndex(name, options.order.column),
    descending: options.order.descending,
    nullsFirst: false,
  };
  const columns = relation.columns.map((_, i) => i);
  const cursor = new Cursor(
    { relation, columns, test: compileQual(qual), sort, limit: options.limit ?? -1 },
    source,
    budget,
  );
  const types = relation.columns.map((column) => column.type);
  const writer = new RowWriter(types);
  const rows: Record<string, Decoded>[] = [];
  for (let more = true; more;) {
    more = cursor.fill(writer);
    if (writer.rows === 0) continue;
    for (const row of decodeRows(writer.take(1n).subarray(frameHeader.size), types)) {
      rows.push(Object.fromEntries(row.map((value, i) => [relation.columns[i]!.name, value])));
    }
  }
  return { rows, cut: budget.cutReason };
}

describe('rings', () => {
  test('records are read in order, lost ones counted', () => {
    const ring = new RingWriter(8, 16);
    for (let i = 0; i < 5; i++) ring.append((view, at) => view.setBigUint64(at, BigInt(i), true));
    const reader = ring.reader();
    expect(reader.read(0, 8)).toEqual({ first: 0, count: 5, lost: 0, committed: 5 });
    expect(reader.read(3, 1)).toEqual({ first: 3, count: 1, lost: 0, committed: 5 });
    expect(reader.read(5, 8)).toMatchObject({ count: 0, lost: 0 });
    for (let i = 5; i < 20; i++) ring.append((view, at) => view.setBigUint64(at, BigInt(i), true));
    expect(reader.read(0, 8)).toEqual({ first: 12, count: 8, lost: 12, committed: 20 });
    expect(reader.number(0, 0)).toBe(12);
    expect(reader.extent()).toEqual({ oldest: 12, committed: 20, grows: 0 });
    ring.descriptor('first', 15n);
    expect(reader.read(0, 8)).toEqual({ first: 15, count: 5, lost: 15, committed: 20 });
    expect(reader.extent()).toEqual({ oldest: 15, committed: 20, grows: 0 });
  });

  test('records the writer has begun to overwrite are not given', () => {
    const ring = new RingWriter(8, 16);
    for (let i = 0; i < 20; i++) ring.append(() => undefined);
    ring.descriptor('reserved', 23n);
    expect(ring.reader().read(12, 8)).toEqual({ first: 15, count: 5, lost: 3, committed: 20 });
  });

  test.each([
    ['capacity', 7n],
    ['capacity', 0n],
    ['capacity', 1n << 40n],
    ['recordSize', 24n],
    ['offset', 3n],
    ['offset', 1n << 50n],
    ['offset', 250n],
  ] as const)('a descriptor with %s %d is refused', (field, value) => {
    const ring = new RingWriter(8, 16);
    ring.descriptor(field, value);
    expect(() => ring.reader().read(0, 1)).toThrow(/readRing/);
  });
});

describe('page faults', () => {
  const ring = new RingWriter(64, pageFaultRecord.size);
  for (let i = 0; i < 40; i++) {
    appendFault(ring, {
      tval: BigInt(i) * 4096n + 0xffff_ffd8_0000_0008n,
      cause: i % 2 ? 13 : 15,
      priv: i % 3 ? 0 : 1,
      ...(i % 4 ? { page: 0x8000_0000n + BigInt(i) } : {}),
    });
  }
  const open = (request: ScanRequest) => pageFaults(ring.reader(), new FaultLog(ring.reader()), request);

  test('rows are what the records say', () => {
    const { rows } = scan('page_faults', open);
    expect(rows).toHaveLength(40);
    expect(rows[0]).toEqual({
      seq: 0n,
      instret: 0n,
      cause: 'Store page fault',
      scause: 15n,
      fault_addr: -0x27_ffff_fff8n,
      pc: -0x7fff_edccn,
      priv: 'S',
      pid: null,
      satp: 0n,
      physical_page: null,
    });
    expect(rows[5]).toMatchObject({ cause: 'Load page fault', priv: 'U', physical_page: 0x8000_0005n });
  });

  test('newest first, limited, and by number or instant', () => {
    const newest = scan('page_faults', open, { order: { column: 'seq', descending: true }, limit: 3 });
    expect(newest.rows.map((row) => row['seq'])).toEqual([39n, 38n, 37n]);
    const column = columnIndex('page_faults', 'seq');
    const { rows } = scan('page_faults', open, { qual: { kind: 'compare', operator: 'eq', column, value: 17 } });
    expect(rows.map((row) => row['seq'])).toEqual([17n]);
    const between: Qual = {
      kind: 'and',
      terms: (['ge', 'lt'] as const).map((operator, i) => ({
        kind: 'compare',
        operator,
        column: columnIndex('page_faults', 'instret'),
        value: i ? 120 : 95,
      })),
    };
    expect(scan('page_faults', open, { qual: between }).rows.map((row) => row['seq'])).toEqual([10n, 11n]);
  });
});

describe('instants after the machine was put back', () => {
  const ring = new RingWriter(64, trapRecord.size);
  // Two lives: 0, 10, … 190, then 50, 60, … 240.
  const instants = [...Array(20).keys()].map((i) => i * 10).concat([...Array(20).keys()].map((i) => 50 + i * 10));
  for (const [seq, instret] of instants.entries())
    ring.append((view, at) => {
      view.setBigUint64(at + trapRecord.instret, BigInt(instret), true);
      view.setBigUint64(at + trapRecord.seq, BigInt(seq), true);
    });
  ring.descriptor('grows', 20n);

  test.each([
    [0, 1000],
    [60, 95],
    [145, 205],
    [200, 300],
    [300, 400],
    [0, 49],
  ])('%d to %d are found in both lives', (low, high) => {
    const column = columnIndex('traps', 'instret');
    const qual: Qual = {
      kind: 'and',
      terms: [
        { kind: 'compare', operator: 'ge', column, value: low },
        { kind: 'compare', operator: 'le', column, value: high },
      ],
    };
    for (const descending of [false, true]) {
      const order = { column: 'seq', descending };
      const { rows } = scan('traps', (request) => traps(ring.reader(), request), { qual, order });
      const wanted = instants.filter((instret) => low <= instret && instret <= high).map(BigInt);
      expect(rows.map((row) => row['instret'])).toEqual(descending ? wanted.reverse() : wanted);
    }
  });
});

describe('hot spots and contexts', () => {
  const satp = (8n << 60n) | 0x81234n;

  test('faults count by the page they reached, late ones when they are known', () => {
    const ring = new RingWriter(64, pageFaultRecord.size);
    const log = new FaultLog(ring.reader());
    for (let i = 0; i < 3; i++) appendFault(ring, { tval: 0x1008n, cause: 13, page: 0x8000_3000n });
    const late = appendFault(ring, { tval: 0x2008n, cause: 15 });
    log.drain(undefined, 0, true);
    const spots = () =>
      scan('mmu_hotspots', (request) => mmuHotspots(log.hotSpots(), log.overflowed, request)).rows.map(
        ({ memory_page, fault_type, hit_count, resolved }) => [memory_page, fault_type, hit_count, resolved],
      );
    expect(spots()).toEqual([
      ['0x80003000', 'LOAD_PAGE_FAULT', 3n, true],
      ['0x2000', 'STORE_PAGE_FAULT', 1n, false],
    ]);
    resolveFault(ring, late, 0x8000_4000n);
    expect(spots()).toEqual([
      ['0x80003000', 'LOAD_PAGE_FAULT', 3n, true],
      ['0x80004000', 'STORE_PAGE_FAULT', 1n, true],
    ]);
    log.drain(undefined, 0, true);
    expect(spots()).toHaveLength(2);
  });

  test('every fault counts once, however long it waits for its page', () => {
    const ring = new RingWriter(64, pageFaultRecord.size);
    const log = new FaultLog(ring.reader());
    for (let i = 0; i < 30; i++) {
      appendFault(ring, { tval: BigInt(i % 3) * 4096n, cause: 12 });
      log.drain(undefined, 0, true);
    }
    expect(log.hotSpots().reduce((sum, spot) => sum + spot.hits, 0)).toBe(30);
    expect(log.hotSpots().every((spot) => spot.hits === 10 && !spot.resolved)).toBe(true);
  });

  test('what was overwritten before it was drained is counted as missed', () => {
    const ring = new RingWriter(16, pageFaultRecord.size);
    const log = new FaultLog(ring.reader());
    for (let i = 0; i < 100; i++) appendFault(ring, { tval: 0n, cause: 12, page: 0x8000_0000n });
    log.drain(undefined, 0, true);
    expect(log.missed).toBe(84);
    expect(log.hotSpots()[0]?.hits).toBe(16);
  });

  describe('processes', () => {
    const context = 0xffff_ffd8_0000_1000n;
    const read = (task: Partial<TaskAtContext>) => (address: number) => {
      expect(address).toBe(-0x27_ffff_f000);
      return { pid: 40, startNs: 0, rootPage: 0x81234, ...task };
    };
    const pids = (ring: RingWriter, log: FaultLog, late?: LateLook) =>
      scan('page_faults', (request) => pageFaults(ring.reader(), log, request, late)).rows.map((row) => row['pid']);

    test('a record keeps the pid its context had when it was drained', () => {
      const ring = new RingWriter(64, pageFaultRecord.size);
      const log = new FaultLog(ring.reader());
      appendFault(ring, { tval: 0n, cause: 12, context, satp });
      log.drain(read({ pid: 40 }), 0, true);
      appendFault(ring, { tval: 0n, cause: 12, context, satp });
      appendFault(ring, { tval: 0n, cause: 12, context: 0x1000n, satp });
      log.drain(read({ pid: 41 }), 0, true);
      expect(pids(ring, log)).toEqual([40n, 41n, null]);
    });

    test('a task that started later is not taken for the one that faulted', () => {
      const ring = new RingWriter(64, pageFaultRecord.size);
      const log = new FaultLog(ring.reader());
      for (let i = 0; i < 3; i++) appendFault(ring, { tval: 0n, cause: 12, context, satp });
      // Records are 10 instructions apart; 5 ns of idling may lie anywhere between them.
      log.drain(read({ startNs: 16 }), 5, true);
      expect(pids(ring, log)).toEqual([null, null, 40n]);
    });

    test('another page table is believed only long after the start', () => {
      const ring = new RingWriter(64, pageFaultRecord.size);
      const log = new FaultLog(ring.reader());
      appendFault(ring, { tval: 0n, cause: 12, context, satp: satp + 1n });
      log.drain(read({}), 200e6, true);
      appendFault(ring, { tval: 0n, cause: 12, context, satp: satp + 1n });
      log.drain(read({}), 200e6, true);
      expect(pids(ring, log)).toEqual([null, 40n]);
    });

    test('records drained before there was a kernel are looked up late', () => {
      const ring = new RingWriter(64, pageFaultRecord.size);
      const log = new FaultLog(ring.reader());
      appendFault(ring, { tval: 0n, cause: 12, context, satp });
      log.drain(undefined, 0, true);
      expect(pids(ring, log)).toEqual([null]);
      expect(pids(ring, log, { readTask: read({}), idleNs: 0 })).toEqual([40n]);
      expect(pids(ring, log, { readTask: read({ startNs: 1 }), idleNs: 0 })).toEqual([null]);
    });
  });
});

test('traps name exceptions and interrupts', () => {
  const ring = new RingWriter(16, trapRecord.size);
  for (const cause of [8n, (1n << 63n) | 5n, (1n << 63n) | 14n, 63n]) appendTrap(ring, cause);
  const { rows } = scan('traps', (request) => traps(ring.reader(), request));
  expect(
    rows.map(({ is_interrupt, code, cause, priv_from, priv_to }) => [is_interrupt, code, cause, priv_from, priv_to]),
  ).toEqual([
    [false, 8n, 'Environment call from U-mode', 'U', 'S'],
    [true, 5n, 'Supervisor timer interrupt', 'U', 'S'],
    [true, 14n, 'Interrupt 14', 'U', 'S'],
    [false, 63n, 'Exception 63', 'U', 'S'],
  ]);
});

test('characters cut by record ends appear whole; bytes that are none appear as U+FFFD', () => {
  const ring = new RingWriter(16, consoleRecord.size);
  const text = Buffer.from('grün 😀 ok');
  for (const byte of text) appendConsole(ring, Uint8Array.of(byte));
  appendConsole(ring, Uint8Array.of(0xff, 0x41, 0), 1);
  const open = (request: ScanRequest) => console(ring.reader(), request);
  const { rows } = scan('console', open);
  const said = (device: string) =>
    rows
      .filter((row) => row['device'] === device)
      .map((row) => row['text'])
      .join('');
  expect(said('uart')).toBe('grün 😀 ok');
  expect(said('hvc')).toBe('\ufffdA\ufffd');
  const column = columnIndex('console', 'seq');
  const from = scan('console', open, { qual: { kind: 'compare', operator: 'ge', column, value: 8 } });
  expect(from.rows[0]).toMatchObject({ seq: 8n });
  expect(from.rows.map((row) => row['text']).join('')).not.toContain('\ufffd\ufffd');
});
