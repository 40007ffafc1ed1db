/** OPEN payloads to plans; everything out of the ordinary is a protocol error. */
import { introspectError, type IntrospectError } from '../errors.js';
import type { CatalogueRelation, ColumnType } from '../gen/relations.js';
import { maxQualDepth, maxQualNodes, qualOperator, qualTag, valueTag } from '../gen/wire.js';
import type { PayloadReader } from '../wire/payload.js';
import type { Operator, Qual } from './qual.js';
import { relationNamed } from './row-source.js';
import type { Value } from './value.js';

export interface OpenRequest {
  machine: string;
  relation: CatalogueRelation;
  view: bigint;
  credit: number;
  columns: number[];
  sort: { column: number; descending: boolean; nullsFirst: boolean } | undefined;
  limit: number;
  qual: Qual;
}

/** PostgreSQL's MaxTupleAttributeNumber. */
const mostColumns = 1664;

const operators = new Map<number, Operator>(
  (Object.entries(qualOperator) as [Operator, number][]).map(([name, value]) => [value, name]),
);

export function parseOpen(fields: PayloadReader): OpenRequest {
  const machine = fields.text();
  const name = fields.text();
  const view = fields.u64();
  const credit = fields.u32();
  const limit = fields.i64();
  const relation = relationNamed(name);
  if (!relation) throw introspectError('relationUnknown', `there is no relation "${name}"`);
  const columns = list(fields, mostColumns, () => column(fields, relation));
  const sort = parseSort(fields, relation);
  const reader = new QualReader(fields, relation);
  const qual = reader.node(1);
  fields.end();
  if (limit < -1n) throw malformed('a negative limit');
  return { machine, relation, view, credit, columns, sort, limit: limit < 0n ? -1 : Number(limit), qual };
}

function malformed(what: string): IntrospectError {
  return introspectError('protocol', `malformed request: ${what}`);
}

function list<T>(fields: PayloadReader, most: number, read: () => T): T[] {
  const count = fields.u16();
  if (count > most) throw malformed('a list is too long');
  return Array.from({ length: count }, read);
}

function column(fields: PayloadReader, relation: CatalogueRelation): number {
  const index = fields.u16();
  if (index >= relation.columns.length) throw malformed(`relation ${relation.name} has no column ${index}`);
  return index;
}

function flag(fields: PayloadReader): boolean {
  const value = fields.u8();
  if (value > 1) throw malformed('a flag is neither 0 nor 1');
  return value === 1;
}

function parseSort(fields: PayloadReader, relation: CatalogueRelation): OpenRequest['sort'] {
  const keys = list(fields, 1, () => ({
    column: column(fields, relation),
    descending: flag(fields),
    nullsFirst: flag(fields),
  }));
  const key = keys[0];
  if (!key) return undefined;
  const declared = relation.orders.some((order) => order.column === key.column && order.descending === key.descending);
  if (!declared) throw malformed(`relation ${relation.name} does not deliver this order`);
  return key;
}

/** Reads a qual tree in prefix order, within the protocol's bounds on depth and nodes. */
class QualReader {
  readonly #fields: PayloadReader;
  readonly #relation: CatalogueRelation;
  #nodes = 0;

  constructor(fields: PayloadReader, relation: CatalogueRelation) {
    this.#fields = fields;
    this.#relation = relation;
  }

  node(depth: number): Qual {
    if (++this.#nodes > maxQualNodes || depth > maxQualDepth) throw malformed('the qual tree is too large');
    const fields = this.#fields;
    const tag = fields.u8();
    switch (tag) {
      case qualTag.true:
        return { kind: 'true' };
      case qualTag.and:
      case qualTag.or:
        return { kind: tag === qualTag.and ? 'and' : 'or', terms: this.#terms(depth) };
      case qualTag.compare:
        return this.#compare();
      case qualTag.in: {
        const index = column(fields, this.#relation);
        return { kind: 'in', column: index, values: list(fields, maxQualNodes, () => this.#value(index)) };
      }
      case qualTag.isNull:
        return { kind: 'isNull', column: column(fields, this.#relation) };
      case qualTag.isNotNull:
        return { kind: 'isNotNull', column: column(fields, this.#relation) };
      case qualTag.prefix:
        return this.#prefix();
      default:
        throw malformed(`unknown qual tag ${tag}`);
    }
  }

  #terms(depth: number): Qual[] {
    const terms = list(this.#fields, maxQualNodes, () => this.node(depth + 1));
    if (terms.length === 0) throw malformed('a connective without terms');
    return terms;
  }

  #compare(): Qual {
    const operator = operators.get(this.#fields.u8());
    if (!operator) throw malformed('an unknown operator');
    const index = column(this.#fields, this.#relation);
    return { kind: 'compare', operator, column: index, value: this.#value(index) };
  }

  #prefix(): Qual {
    const index = column(this.#fields, this.#relation);
    const prefix = this.#value(index);
    if (prefix === null) return { kind: 'compare', operator: 'eq', column: index, value: null };
    if (typeof prefix !== 'string') throw malformed('a prefix that is no text');
    return { kind: 'prefix', column: index, prefix };
  }

  /** A value that can be compared with a column. */
  #value(index: number): Value {
    const fields = this.#fields;
    const tag = fields.u8();
    const { type } = this.#relation.columns[index]!;
    switch (tag) {
      case valueTag.null:
        return null;
      case valueTag.int:
        return requireKind(type, type !== 'text', narrow(fields.i64()));
      case valueTag.float:
        return requireKind(type, type !== 'text' && type !== 'bool', fields.f64());
      case valueTag.text:
        return requireKind(type, type === 'text', fields.text());
      default:
        throw malformed(`unknown value tag ${tag}`);
    }
  }
}

function requireKind<T>(type: ColumnType, fits: boolean, value: T): T {
  if (!fits) throw malformed(`a value that cannot be compared with a column of type ${type}`);
  return value;
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
