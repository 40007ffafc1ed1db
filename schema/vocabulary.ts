/** The types in which schema/ states its facts. This folder imports nothing from the rest of the project. */

/** PostgreSQL types that cross the row protocol; see docs/protocol.md for their 8-byte slots. */
export type ColumnType = 'bool' | 'int4' | 'int8' | 'float8' | 'text' | 'timestamptz';

export interface Column {
  name: string;
  type: ColumnType;
  /** May be null; columns are not null unless this says so. */
  nullable?: boolean;
  /** One line for docs/relations.md and `comment on column`, with the unit where there is one. */
  doc: string;
}

export interface Relation {
  name: string;
  /** One or two sentences: what a row is and where it comes from. */
  doc: string;
  /** guest: decoded from guest RAM; telemetry: from the ring; service: known to introspect itself. */
  source: 'guest' | 'telemetry' | 'service';
  columns: Column[];
  /** Column sets by which the service looks rows up without a full walk (parameterized paths). */
  keys: string[][];
  /** Single-column orders the service delivers at no extra cost. */
  orders: { column: string; descending: boolean }[];
  /** Row estimate before the service has given its own. */
  estimatedRows: number;
  /** A query that runs against a live machine with the relation's unqualified name; the tests run it. */
  example: string;
}

/** Unsigned little-endian integers of shared-memory and socket layouts, and byte arrays. */
export type FieldType = 'u8' | 'u16' | 'u32' | 'u64';

export interface Field {
  name: string;
  type: FieldType;
  /** Array length; 1 when absent. */
  count?: number;
  doc: string;
}

/** A fixed-layout struct: fields lie at their natural alignment, size is padded to 8. */
export interface Layout {
  name: string;
  doc: string;
  fields: Field[];
  /** Asserted size in bytes. */
  size: number;
}

export interface EnumEntry {
  name: string;
  value: number;
  doc: string;
}

export interface Enumeration {
  name: string;
  doc: string;
  entries: EnumEntry[];
}
