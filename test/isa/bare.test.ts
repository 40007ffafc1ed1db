import { expect, test } from 'vitest';
import { bareProgramNames, runBareProgram } from './bare-programs.js';

for (const name of bareProgramNames())
  test(`${name} passes on the bare hart`, { timeout: 60_000 }, async () => {
    expect(await runBareProgram(name)).toBe(`${name}: exit 0`);
  });
