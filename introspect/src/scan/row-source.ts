/**
 * A relation as a scan sees it: items in the order of the walk, and one reader per column. Columns are read
 * only when a qual, a sort or the query asks for them, so a wide relation costs what is used of it.
 */
import { catalogue, type CatalogueRelation, type RelationName, type RowOf } from '../gen/relations.js';
import type { Budget } from '../memory/budget.js';
import type { Pin } from './qual.js';
import type { RecordColumn, RecordRows } from './record-columns.js';
import type { Value } from './value.js';

/** Values of the columns of an item that have been read, by column index. */
export type RowValues = (Value | undefined)[];

/** What has been read of items that stay the same as long as they live, for the scans after this one. */
export type KeptRows = WeakMap<object, RowValues>;

export interface RowSource {
  items: Iterable<unknown>;
  /** By column index of the catalogue. */
  columns: ((item: unknown) => Value)[];
  /** The same rows without making Values of them; items are then word indexes of records. */
  records?: RecordRows;
  /** Told why a column could not be read. */
  note?: (item: unknown, reason: string) => void;
  /** Keeps values from scan to scan; items are then objects of one instant. */
  kept?: KeptRows;
  /** This column says what went wrong with the others, so it is read last and reads them all. */
  qualityColumn?: number;
  /** Orders in which items already come: (column index, descending). */
  sortedBy?: { column: number; descending: boolean };
}

export interface ScanRequest {
  budget: Budget;
  /** What the quals say about a column. */
  pin: (column: string) => Pin;
  /** The order asked for; a source that can deliver it says so in sortedBy. */
  order: { column: string; descending: boolean } | undefined;
}

export type ColumnReaders<Name extends RelationName, Item> = {
  [K in keyof RowOf[Name]]-?: (item: Item) => RowOf[Name][K];
};

export interface SourceOptions<Item> {
  note?: (item: Item, reason: string) => void;
  quality?: string;
  sortedBy?: { column: string; descending: boolean };
  records?: Omit<RecordRows, 'columns'> & { columns: Record<string, RecordColumn> };
  kept?: KeptRows;
}

const byName = new Map<string, CatalogueRelation>(catalogue.map((relation) => [relation.name, relation]));

export function relationNamed(name: string): CatalogueRelation | undefined {
  return byName.get(name);
}

/** Puts readers by column name into catalogue order; the types hold them to the generated row. */
export function rowSource<Name extends RelationName, Item>(
  name: Name,
  items: Iterable<Item>,
  readers: ColumnReaders<Name, Item>,
  options: SourceOptions<Item> = {},
): RowSource {
  const { columns } = byName.get(name)!;
  const table = readers as unknown as Record<string, (item: unknown) => Value>;
  const source: RowSource = { items, columns: columns.map((column) => table[column.name]!) };
  const { note, quality, sortedBy, records, kept } = options;
  if (kept) source.kept = kept;
  if (note) source.note = (item, reason) => note(item as Item, reason);
  if (quality) source.qualityColumn = columns.findIndex((column) => column.name === quality);
  if (records) source.records = { ...records, columns: columns.map((column) => records.columns[column.name]!) };
  if (sortedBy) {
    source.sortedBy = {
      column: columns.findIndex((column) => column.name === sortedBy.column),
      descending: sortedBy.descending,
    };
  }
  return source;
}
