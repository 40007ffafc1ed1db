/** The qual tree of an OPEN request: its form, its three-valued evaluation, and what it pins down. */
import { compareValues, type Value } from './value.js';

export type Operator = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';

export type Qual =
  | { kind: 'true' }
  | { kind: 'and' | 'or'; terms: Qual[] }
  | { kind: 'compare'; operator: Operator; column: number; value: Value }
  | { kind: 'in'; column: number; values: Value[] }
  | { kind: 'isNull' | 'isNotNull'; column: number }
  | { kind: 'prefix'; column: number; prefix: string };

/** Reads a column of the row under test. */
export type ReadColumn = (column: number) => Value;

/** true, false, or null for unknown; a row passes when true. */
export type Test = (read: ReadColumn) => boolean | null;

const verdicts: Record<Operator, (order: number) => boolean> = {
  eq: (order) => order === 0,
  ne: (order) => order !== 0,
  lt: (order) => order < 0,
  le: (order) => order <= 0,
  gt: (order) => order > 0,
  ge: (order) => order >= 0,
};

/** A function that evaluates the tree; undefined when every row passes. */
export function compileQual(qual: Qual): Test | undefined {
  return qual.kind === 'true' ? undefined : compile(qual);
}

function compile(qual: Qual): Test {
  switch (qual.kind) {
    case 'true':
      return () => true;
    case 'and':
      return all(qual.terms.map(compile), false);
    case 'or':
      return all(qual.terms.map(compile), true);
    case 'compare': {
      const verdict = verdicts[qual.operator];
      const { column, value } = qual;
      if (value === null) return () => null;
      return (read) => {
        const held = read(column);
        return held === null ? null : verdict(compareValues(held, value));
      };
    }
    case 'in':
      return compileIn(qual.column, qual.values);
    case 'isNull':
      return (read) => read(qual.column) === null;
    case 'isNotNull':
      return (read) => read(qual.column) !== null;
    case 'prefix':
      return (read) => {
        const held = read(qual.column);
        return held === null ? null : typeof held === 'string' && held.startsWith(qual.prefix);
      };
  }
}

/** AND (decided by false) or OR (decided by true) of terms. */
function all(terms: Test[], decisive: boolean): Test {
  return (read) => {
    let result: boolean | null = !decisive;
    for (const term of terms) {
      const verdict = term(read);
      if (verdict === decisive) return decisive;
      if (verdict === null) result = null;
    }
    return result;
  };
}

function compileIn(column: number, values: Value[]): Test {
  const known = values.filter((value) => value !== null);
  const missed = known.length < values.length ? null : false;
  const hashed = new Set<number | string>();
  const large: bigint[] = [];
  for (const value of known) {
    if (typeof value === 'bigint') large.push(value);
    else hashed.add(typeof value === 'boolean' ? Number(value) : value);
  }
  return (read) => {
    const held = read(column);
    if (held === null) return null;
    const found =
      typeof held === 'bigint'
        ? large.includes(held) || (Number.isSafeInteger(Number(held)) && hashed.has(Number(held)))
        : hashed.has(typeof held === 'boolean' ? Number(held) : held);
    return found ? true : missed;
  };
}

/** What every passing row must satisfy in one column: one of values, or within low and high. */
export interface Pin {
  values: Exclude<Value, null>[] | undefined;
  low: number;
  high: number;
}

const unpinned: Pin = { values: undefined, low: -Infinity, high: Infinity };

/** Narrows a column by the tree; sound, not complete: rows outside it surely fail. */
export function pinColumn(qual: Qual, column: number): Pin {
  switch (qual.kind) {
    case 'compare':
      return qual.column === column ? pinCompare(qual.operator, qual.value) : unpinned;
    case 'in':
      return qual.column === column ? fromValues(qual.values) : unpinned;
    case 'and':
      return qual.terms.map((term) => pinColumn(term, column)).reduce(intersect, unpinned);
    case 'or':
      return qual.terms.map((term) => pinColumn(term, column)).reduce(unite);
    default:
      return unpinned;
  }
}

function fromValues(values: Value[]): Pin {
  const known = values.filter((value) => value !== null);
  const numbers = known.map((value) => (typeof value === 'string' ? NaN : Number(value)));
  const ordered = numbers.length > 0 && numbers.every((value) => !Number.isNaN(value));
  return {
    values: [...new Set(known)],
    low: ordered ? numbers.reduce((a, b) => Math.min(a, b)) : -Infinity,
    high: ordered ? numbers.reduce((a, b) => Math.max(a, b)) : Infinity,
  };
}

function pinCompare(operator: Operator, value: Value): Pin {
  if (value === null) return { ...unpinned, values: [] };
  if (operator === 'eq') return fromValues([value]);
  if (typeof value === 'string') return unpinned;
  const bound = Number(value);
  if (Number.isNaN(bound)) return unpinned;
  if (operator === 'lt' || operator === 'le') return { ...unpinned, high: bound };
  if (operator === 'gt' || operator === 'ge') return { ...unpinned, low: bound };
  return unpinned;
}

function intersect(a: Pin, b: Pin): Pin {
  const values =
    a.values && b.values
      ? a.values.filter((value) => b.values!.some((other) => same(value, other)))
      : (a.values ?? b.values);
  return { values, low: Math.max(a.low, b.low), high: Math.min(a.high, b.high) };
}

function unite(a: Pin, b: Pin): Pin {
  const values = a.values && b.values ? [...new Set([...a.values, ...b.values])] : undefined;
  return { values, low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) };
}

function same(a: Exclude<Value, null>, b: Exclude<Value, null>): boolean {
  return (typeof a === 'string') === (typeof b === 'string') && compareValues(a, b) === 0;
}
