/** Made-up rows of any relation, and the qual tree applied to them, for the test peer. */
import { catalogue as relations, type CatalogueRelation } from '../../introspect/src/gen/relations.js';
import { qualOperator, qualTag, valueTag } from '../../introspect/src/gen/wire.js';
import { Reader, Writer } from './frames.js';

export type Value = bigint | number | string | null;
export type Row = Value[];

export function relationNamed(name: string): CatalogueRelation | undefined {
  return relations.find((relation) => relation.name === name);
}

const words = ['init', 'sh', 'postgres_agent', 'kworker/0:1', 'Größe', '日本', '', '50%_off', 'a\\b', 'zz'];

/** Deterministic: equal (relation, count) give equal rows. Row i has small, repeating and some null values. */
export function madeUpRows(relation: CatalogueRelation, count: number): Row[] {
  return Array.from({ length: count }, (_, i) =>
    relation.columns.map((column, at): Value => {
      if (column.nullable && (i + at) % 5 === 0) return null;
      switch (column.type) {
        case 'bool':
          return BigInt((i + at) % 2);
        case 'int4':
          return BigInt(((i * 7 + at) % 40) - 3);
        case 'int8':
          return at === 0 ? BigInt(i) : BigInt((i * 13 + at) % 50) - 5n;
        case 'float8':
          return (i * 3 + at) / 4 - 2;
        case 'timestamptz':
          return BigInt(i) * 1_000_000n;
        case 'text':
          return words[(i * 3 + at) % words.length] ?? '';
      }
    }),
  );
}

export function chainOfProcesses(relation: CatalogueRelation): Row[] {
  const parent = relation.columns.findIndex(({ name }) => name === 'ppid');
  return madeUpRows(relation, 3000).map((row, i) => row.with(parent, BigInt(i - 1)));
}

type Test = (row: Row) => boolean | null;

function readValue(reader: Reader): Value {
  const tag = reader.u8();
  if (tag === valueTag.null) return null;
  if (tag === valueTag.int) return reader.i64();
  if (tag === valueTag.float) return reader.f64();
  if (tag === valueTag.text) return reader.text();
  throw new RangeError(`value tag ${tag}`);
}

function order(left: Value, right: Value): number {
  if (typeof left === 'string' && typeof right === 'string')
    return Buffer.compare(Buffer.from(left), Buffer.from(right));
  if (left === null || right === null) return 0;
  return left < right ? -1 : left > right ? 1 : 0;
}

const operators: Record<number, (sign: number) => boolean> = {
  [qualOperator.eq]: (sign) => sign === 0,
  [qualOperator.ne]: (sign) => sign !== 0,
  [qualOperator.lt]: (sign) => sign < 0,
  [qualOperator.le]: (sign) => sign <= 0,
  [qualOperator.gt]: (sign) => sign > 0,
  [qualOperator.ge]: (sign) => sign >= 0,
};

function readCompare(reader: Reader): Test {
  const operator = operators[reader.u8()];
  const column = reader.u16();
  const value = readValue(reader);
  if (operator === undefined) throw new RangeError('operator');
  return (row) => {
    const cell = row[column] ?? null;
    return cell === null || value === null ? null : operator(order(cell, value));
  };
}

function readIn(reader: Reader): Test {
  const column = reader.u16();
  const values = Array.from({ length: reader.u16() }, () => readValue(reader));
  return (row) => {
    const cell = row[column] ?? null;
    if (cell === null) return null;
    return values.some((value) => value !== null && order(cell, value) === 0);
  };
}

function readMany(reader: Reader, all: boolean): Test {
  const tests = Array.from({ length: reader.u16() }, () => readQual(reader));
  return (row) => {
    const results = tests.map((test) => test(row));
    if (results.includes(!all)) return !all;
    return results.includes(null) ? null : all;
  };
}

export function readQual(reader: Reader): Test {
  const tag = reader.u8();
  switch (tag) {
    case qualTag.true:
      return () => true;
    case qualTag.and:
      return readMany(reader, true);
    case qualTag.or:
      return readMany(reader, false);
    case qualTag.compare:
      return readCompare(reader);
    case qualTag.in:
      return readIn(reader);
    case qualTag.isNull: {
      const column = reader.u16();
      return (row) => (row[column] ?? null) === null;
    }
    case qualTag.isNotNull: {
      const column = reader.u16();
      return (row) => (row[column] ?? null) !== null;
    }
    case qualTag.prefix: {
      const column = reader.u16();
      const prefix = readValue(reader);
      return (row) => {
        const cell = row[column] ?? null;
        return typeof cell === 'string' && typeof prefix === 'string' ? cell.startsWith(prefix) : null;
      };
    }
    default:
      throw new RangeError(`qual tag ${tag}`);
  }
}

export interface Request {
  machine: string;
  relation: CatalogueRelation;
  view: bigint;
  credit: number;
  limit: bigint;
  columns: number[];
  sort: { column: number; descending: boolean } | undefined;
  test: Test;
  /** All of the request but machine, view and credit: equal shapes have equal answers. */
  shape: string;
}

export function readOpen(payload: Buffer): Request {
  const reader = new Reader(payload);
  const machine = reader.text();
  const name = reader.text();
  const relation = relationNamed(name);
  if (relation === undefined) throw new RangeError(`relation ${name}`);
  const view = reader.u64();
  const credit = reader.u32();
  const shape = name + payload.subarray(reader.at).toString('latin1');
  const limit = reader.i64();
  const columns = Array.from({ length: reader.u16() }, () => reader.u16());
  const sorts = Array.from({ length: reader.u16() }, () => {
    const key = { column: reader.u16(), descending: reader.u8() !== 0 };
    reader.u8();
    return key;
  });
  const test = readQual(reader);
  if (reader.at !== payload.length) throw new RangeError('bytes after OPEN');
  return { machine, relation, view, credit, limit, columns, sort: sorts[0], test, shape };
}

export function answerOf(request: Request, rows: Row[]): Row[] {
  const kept = rows.filter((row) => request.test(row) === true);
  const { sort } = request;
  if (sort !== undefined) {
    kept.sort((a, b) => order(a[sort.column] ?? null, b[sort.column] ?? null) * (sort.descending ? -1 : 1));
  }
  return request.limit < 0n ? kept : kept.slice(0, Number(request.limit));
}

/** One row of a DATA frame, as docs/protocol.md lays it out. */
export function rowBytes(row: Row, columns: number[]): Buffer {
  const words = Math.ceil(columns.length / 64);
  const fixed = Buffer.alloc(8 + 8 * (words + columns.length));
  const texts: Buffer[] = [];
  let end = fixed.length;
  columns.forEach((column, i) => {
    const value = row[column] ?? null;
    const slot = 8 + 8 * (words + i);
    if (value === null) {
      const at = 8 + 8 * (i >> 6) + ((i & 63) >> 3);
      fixed.writeUInt8(fixed.readUInt8(at) | (1 << (i & 7)), at);
    } else if (typeof value === 'bigint') {
      fixed.writeBigInt64LE(value, slot);
    } else if (typeof value === 'number') {
      fixed.writeDoubleLE(value, slot);
    } else {
      const bytes = Buffer.from(value, 'utf8');
      const padded = Buffer.alloc(4 + Math.ceil(bytes.length / 4) * 4);
      bytes.copy(padded, 4);
      fixed.writeUInt32LE(end, slot);
      fixed.writeUInt32LE(bytes.length, slot + 4);
      texts.push(padded);
      end += padded.length;
    }
  });
  const length = Math.ceil(end / 8) * 8;
  fixed.writeUInt32LE(length, 0);
  return Buffer.concat([fixed, ...texts, Buffer.alloc(length - end)]);
}

/** DATA payloads: 16 rows, then more, up to 64 KiB. */
export function batches(rows: Row[], columns: number[]): Buffer[] {
  const payloads: Buffer[] = [];
  let most = 16;
  for (let at = 0; at < rows.length;) {
    const parts: Buffer[] = [];
    let bytes = 8;
    while (at < rows.length && parts.length < most && bytes < 65536) {
      const part = rowBytes(rows[at++] ?? [], columns);
      parts.push(part);
      bytes += part.length;
    }
    payloads.push(new Writer().u32(parts.length).u32(0).raw(Buffer.concat(parts)).done());
    most *= 2;
  }
  return payloads;
}
