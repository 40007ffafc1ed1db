/**
 * A guest cannot print /proc while it stands still, so each truth is taken between two readings of ours: what
 * both readings agree on did not change meanwhile, and has to equal what the guest printed.
 */
import type { RowClient } from '../../introspect/test/support/row-client.js';
import type { Decoded } from '../../introspect/test/support/decode-rows.js';
import type { RelationName } from '../../introspect/src/gen/relations.js';

export type Row = Record<string, Decoded>;

export async function readAll(client: RowClient, machine: string, relation: RelationName): Promise<Row[]> {
  const { rows, cut } = await client.scan(machine, relation);
  if (cut) throw new Error(`the scan of ${relation} was cut short`);
  return rows;
}

/** Rows of both readings that have the same key, with only the columns that agree. */
export function stable(before: Row[], after: Row[], key: (row: Row) => string): Map<string, Row> {
  const later = new Map(after.map((row) => [key(row), row]));
  const found = new Map<string, Row>();
  for (const row of before) {
    const same = later.get(key(row));
    if (!same) continue;
    found.set(key(row), Object.fromEntries(Object.entries(row).filter(([column, value]) => same[column] === value)));
  }
  return found;
}

/** Compares what is stable; returns how many values were compared. */
export function differences(what: string, ours: Row, theirs: Row): string[] {
  return Object.entries(theirs)
    .filter(([column, value]) => column in ours && String(ours[column]) !== String(value))
    .map(([column, value]) => `${what}.${column}: ours ${String(ours[column])}, /proc ${String(value)}`);
}

export function compared(ours: Row, theirs: Row): number {
  return Object.keys(theirs).filter((column) => column in ours).length;
}
