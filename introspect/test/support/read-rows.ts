/** Runs a relation over a kernel without the wire: rows as objects. */
import { Budget } from '../../src/memory/budget.js';
import type { Kernel } from '../../src/kernel/kernel.js';
import { Cursor } from '../../src/scan/cursor.js';
import { compileQual, pinColumn, type Qual } from '../../src/scan/qual.js';
import { relationNamed, type RowSource, type ScanRequest } from '../../src/scan/row-source.js';
import type { RowWriter } from '../../src/server/row-writer.js';
import type { Value } from '../../src/scan/value.js';
import type { RelationName } from '../../src/gen/relations.js';

export type Row = Record<string, Value>;

export interface ReadOptions {
  qual?: Qual;
  limit?: number;
  steps?: number;
  sort?: { column: string; descending: boolean };
}

export interface ReadResult {
  rows: Row[];
  cut: string | undefined;
}

/** Stands where a RowWriter stands and keeps the values. */
class Collector {
  readonly rows: Value[][] = [];
  readonly full = false;
  beginRow(): void {
    this.rows.push([]);
    this.#begun = true;
  }
  value(slot: number, value: Value): void {
    this.rows[this.rows.length - 1]![slot] = value;
  }
  #begun = false;
  endRow(): void {
    this.#begun = false;
  }
  dropRow(): void {
    if (this.#begun) this.rows.pop();
  }
}

export function columnIndex(relation: RelationName, column: string): number {
  return relationNamed(relation)!.columns.findIndex(({ name }) => name === column);
}

export function readRows(
  name: RelationName,
  open: (kernel: Kernel, request: ScanRequest) => RowSource,
  kernel: Kernel,
  options: ReadOptions = {},
): ReadResult {
  const relation = relationNamed(name)!;
  const qual: Qual = options.qual ?? { kind: 'true' };
  const budget = new Budget(options.steps ?? 1_000_000);
  const request = { budget, pin: (column: string) => pinColumn(qual, columnIndex(name, column)), order: undefined };
  const sort = options.sort && {
    column: columnIndex(name, options.sort.column),
    descending: options.sort.descending,
    nullsFirst: false,
  };
  const columns = relation.columns.map((_, i) => i);
  const plan = { relation, columns, test: compileQual(qual), sort, limit: options.limit ?? -1 };
  const cursor = new Cursor(plan, open(kernel, request), budget);
  const collector = new Collector();
  while (cursor.fill(collector as unknown as RowWriter));
  const rows = collector.rows.map((values) =>
    Object.fromEntries(relation.columns.map((column, i) => [column.name, values[i]!])),
  );
  return { rows, cut: budget.cutReason };
}
