import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { stamps } from '../src/base/paths.js';
import { isCurrent, runStage, type Stage } from '../src/setup/stage.js';

const name = `test-${process.pid}`;
afterEach(() => rmSync(join(stamps, name), { force: true }));

function stageWith(state: { inputs: string; present: boolean; runs: number; fail?: boolean }): Stage {
  return {
    name,
    title: 'a stage of a test',
    inputs: () => state.inputs,
    present: () => state.present,
    run: () => {
      state.runs++;
      if (state.fail === true) return Promise.reject(new Error('interrupted'));
      state.present = true;
      return Promise.resolve();
    },
  };
}

test('a stage runs once, and again when its inputs change or its result vanishes', async () => {
  const state = { inputs: 'a', present: false, runs: 0 };
  const stage = stageWith(state);
  expect(await runStage(stage)).toBe(true);
  expect(await runStage(stage)).toBe(false);
  state.inputs = 'b';
  expect(await runStage(stage)).toBe(true);
  state.present = false;
  expect(await runStage(stage)).toBe(true);
  expect(state.runs).toBe(3);
});

test('an interrupted stage is not current, even after an earlier success', async () => {
  const state = { inputs: 'a', present: false, runs: 0, fail: false };
  const stage = stageWith(state);
  await runStage(stage);
  state.inputs = 'b';
  state.fail = true;
  await expect(runStage(stage)).rejects.toThrow('interrupted');
  state.inputs = 'a';
  expect(await isCurrent(stage)).toBe(false);
  expect(existsSync(join(stamps, name))).toBe(false);
});
