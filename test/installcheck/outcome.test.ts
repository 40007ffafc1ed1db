/** How the soak of the regression scripts reads pg_regress, and what it takes for a difference. */
import { expect, test } from 'vitest';
import { compare, diffOf, failures, scriptOf, type Outcome } from './outcome.js';

test('a line of pg_regress tells of a script, or of none', () => {
  expect(scriptOf('ok 1         - test_setup                                 3123 ms')).toEqual({
    name: 'test_setup',
    passed: true,
  });
  expect(scriptOf('not ok 2     + boolean                                     145 ms')).toEqual({
    name: 'boolean',
    passed: false,
  });
  expect(scriptOf('# parallel group (8 tests):  char int2 name')).toBeUndefined();
  expect(scriptOf('1..236')).toBeUndefined();
  expect(scriptOf('# 1 of 236 tests failed.')).toBeUndefined();
});

const diffs = [
  'diff -U3 /bench/regress/expected/int4.out /bench/regress/out/results/int4.out',
  '--- expected',
  '-1',
  '+2',
  'diff -U3 /bench/regress/expected/int.out /bench/regress/out/results/int.out',
  '-a',
  '+b',
  '',
].join('\n');

function outcome(passed: Readonly<Record<string, boolean>>): Outcome {
  return { passed: new Map(Object.entries(passed)), diffs };
}

test('a script has its own part of the differences', () => {
  expect(diffOf(diffs, 'int4')).toContain('+2\n');
  expect(diffOf(diffs, 'int4')).not.toContain('+b');
  expect(diffOf(diffs, 'int')).toMatch(/^diff .*int\.out\n-a\n\+b\n$/);
  expect(diffOf(diffs, 'float8')).toBe('');
});

test('machines differ where one of them passes, or one of them did not get there', () => {
  const ours = outcome({ int: true, int4: false, int8: false, text: true });
  const theirs = outcome({ int: false, int4: true, int8: false, xml: true });
  expect(compare(ours, theirs).map(({ script, what }) => `${script}: ${what}`)).toEqual([
    'int: passes here alone',
    'int4: passes there alone',
    'xml: did not end here',
    'text: did not end there',
  ]);
  expect(compare(ours, theirs)[1]?.diff).toContain('+2\n');
  expect(compare(ours, ours)).toEqual([]);
  expect(failures(ours)).toEqual(['int4', 'int8']);
});
