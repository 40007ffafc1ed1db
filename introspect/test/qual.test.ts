import { describe, expect, test } from 'vitest';
import { compileQual, pinColumn, type Qual } from '../src/scan/qual.js';
import { compareText, compareValues, type Value } from '../src/scan/value.js';

const run = (qual: Qual, row: Value[]): boolean | null => compileQual(qual)!((column) => row[column]!);
const compare = (operator: 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge', value: Value, column = 0): Qual => ({
  kind: 'compare',
  operator,
  column,
  value,
});

describe('three-valued logic', () => {
  const unknown = compare('eq', null);
  const yes = compare('eq', 1);
  const no = compare('eq', 2);

  test.each([
    [{ kind: 'and', terms: [yes, unknown] }, null],
    [{ kind: 'and', terms: [no, unknown] }, false],
    [{ kind: 'or', terms: [yes, unknown] }, true],
    [{ kind: 'or', terms: [no, unknown] }, null],
    [{ kind: 'in', column: 0, values: [2, null] }, null],
    [{ kind: 'in', column: 0, values: [1, null] }, true],
    [{ kind: 'in', column: 0, values: [2, 3] }, false],
    [{ kind: 'in', column: 0, values: [] }, false],
    [{ kind: 'isNull', column: 0 }, false],
    [{ kind: 'isNotNull', column: 0 }, true],
  ] as [Qual, boolean | null][])('%j', (qual, verdict) => {
    expect(run(qual, [1])).toBe(verdict);
  });

  test('a null column makes every comparison unknown', () => {
    for (const operator of ['eq', 'ne', 'lt', 'ge'] as const) expect(run(compare(operator, 1), [null])).toBeNull();
    expect(run({ kind: 'in', column: 0, values: [1] }, [null])).toBeNull();
    expect(run({ kind: 'prefix', column: 0, prefix: 'a' }, [null])).toBeNull();
    expect(run({ kind: 'isNull', column: 0 }, [null])).toBe(true);
  });
});

describe('comparison', () => {
  test('integers beyond doubles compare exactly', () => {
    expect(compareValues(9007199254740993n, 9007199254740992)).toBe(1);
    expect(compareValues(-1, -1n)).toBe(0);
    expect(run(compare('lt', -9223372036854775808n), [-9223372036854775807n])).toBe(false);
  });

  test('IN finds integers however they are held', () => {
    const large = 9007199254740993n;
    const among = (values: Value[], held: Value) => run({ kind: 'in', column: 0, values }, [held]);
    expect(among([5, large], 5n)).toBe(true);
    expect(among([5, large], large)).toBe(true);
    expect(among([5, large], large + 1n)).toBe(false);
    expect(among([1], true)).toBe(true);
    expect(among(['1'], 1)).toBe(false);
    expect(among([NaN, 2.5], NaN)).toBe(true);
  });

  test('NaN equals itself and is above all', () => {
    expect(compareValues(NaN, NaN)).toBe(0);
    expect(compareValues(NaN, Infinity)).toBe(1);
    expect(compareValues(1, NaN)).toBe(-1);
  });

  test('text compares by its UTF-8 bytes', () => {
    const words = ['', 'A', 'a', 'aa', 'b', 'é', '\uffee', '\ue000', '😀', '\u{10ffff}', 'z'];
    for (const left of words) {
      for (const right of words) {
        expect(Math.sign(compareText(left, right))).toBe(Buffer.compare(Buffer.from(left), Buffer.from(right)));
      }
    }
  });
});

describe('what quals pin down', () => {
  test('equality, lists and their intersection', () => {
    expect(pinColumn(compare('eq', 5), 0)).toEqual({ values: [5], low: 5, high: 5 });
    const both: Qual = {
      kind: 'and',
      terms: [
        { kind: 'in', column: 0, values: [1, 2, 3] },
        { kind: 'in', column: 0, values: [3, 4, null] },
      ],
    };
    expect(pinColumn(both, 0).values).toEqual([3]);
    expect(pinColumn(both, 1)).toEqual({ values: undefined, low: -Infinity, high: Infinity });
    expect(pinColumn(compare('eq', null), 0).values).toEqual([]);
  });

  test('ranges widen under OR and narrow under AND', () => {
    const between: Qual = { kind: 'and', terms: [compare('gt', 10), compare('le', 20)] };
    expect(pinColumn(between, 0)).toMatchObject({ low: 10, high: 20 });
    expect(pinColumn({ kind: 'or', terms: [between, compare('eq', 50)] }, 0)).toMatchObject({
      values: undefined,
      low: 10,
      high: 50,
    });
    expect(pinColumn({ kind: 'or', terms: [between, compare('eq', 50, 1)] }, 0)).toMatchObject({
      low: -Infinity,
      high: Infinity,
    });
  });
});
