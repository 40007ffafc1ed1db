/**
 * OPEN payloads to plans; everything out of the ordinary is a protocol error. A prepared statement sends the
 * same plan again and again, so the plans of a connection are kept by their bytes.
 */
import { introspectError, type IntrospectError } from '../errors.js';
import type { CatalogueRelation, ColumnType } from '../gen/relations.js';
import { maxQualDepth, maxQualNodes, qualOperator, qualTag, valueTag } from '../gen/wire.js';
import type { PayloadReader } from '../wire/payload.js';
import { compileQual, type Operator, type Qual, type Test } from './qual.js';
import { relationNamed } from './row-source.js';
import type { Value } from './value.js';

/** What a scan gives, whatever it is read from. */
export interface ScanPlan {
  relation: CatalogueRelation;
  /** Columns of the answer, by index in the relation. */
  columns: number[];
  types: ColumnType[];
  sort: { column: number; descending: boolean; nullsFirst: boolean } | undefined;
  /** −1: none. */
  limit: number;
  qual: Qual;
  /** The qual tree as a function; undefined when every row passes. */
  test: Test | undefined;
  /** Columns the scan looks at: asked for, tested or sorted by. */
  read: ReadonlySet<number>;
}

export interface OpenRequest {
  machine: string;
  view: bigint;
  credit: number;
  plan: ScanPlan;
}

/** PostgreSQL's MaxTupleAttributeNumber. */
const mostColumns = 1664;

const operators = new Map<number, Operator>(
  (Object.entries(qualOperator) as [Operator, number][]).map(([name, value]) => [value, name]),
);

const mostKept = 64;
const largestKept = 1024;

/** Parses the OPEN requests of one connection. */
export class OpenParser {
  readonly #kept = new Map<string, ScanPlan>();

  parse(fields: PayloadReader): OpenRequest {
    const machine = fields.text();
    const name = fields.text();
    const view = fields.u64();
    const credit = fields.u32();
    return { machine, view, credit, plan: this.#plan(name, fields) };
  }

  #plan(name: string, fields: PayloadReader): ScanPlan {
    const rest = fields.rest();
    if (rest.length > largestKept) return parsePlan(name, fields);
    const key = `${name} ${Buffer.from(rest.buffer, rest.byteOffset, rest.length).toString('latin1')}`;
    let plan = this.#kept.get(key);
    if (plan === undefined) {
      plan = parsePlan(name, fields);
      if (this.#kept.size >= mostKept) this.#kept.clear();
      this.#kept.set(key, plan);
    }
    return plan;
  }
}

function parsePlan(name: string, fields: PayloadReader): ScanPlan {
  const limit = fields.i64();
  const relation = relationNamed(name);
  if (!relation) throw introspectError('relationUnknown', `there is no relation "${name}"`);
  const columns = list(fields, mostColumns, () => column(fields, relation));
  const sort = parseSort(fields, relation);
  const reader = new QualReader(fields, relation);
  const qual = reader.node(1);
  fields.end();
  if (limit < -1n) throw malformed('a negative limit');
  return {
    relation,
    columns,
    types: columns.map((index) => relation.columns[index]!.type),
    sort,
    limit: limit < 0n ? -1 : Number(limit),
    qual,
    test: compileQual(qual),
    read: new Set([...columns, ...columnsOf(qual), ...(sort ? [sort.column] : [])]),
  };
}

function columnsOf(qual: Qual): number[] {
  switch (qual.kind) {
    case 'true':
      return [];
    case 'and':
    case 'or':
      return qual.terms.flatMap(columnsOf);
    default:
      return [qual.column];
  }
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

function parseSort(fields: PayloadReader, relation: CatalogueRelation): ScanPlan['sort'] {
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
