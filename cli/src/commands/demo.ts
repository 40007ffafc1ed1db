/** `npm run demo`: everything from nothing, then fdw/demo.sql with its output. */
import { join } from 'node:path';
import { elapsed, step } from '../base/log.js';
import { checkout } from '../base/paths.js';
import { firstMachine } from '../server/machines.js';
import { parseArguments } from './arguments.js';
import { runPsql } from './psql.js';
import { bringUp } from './up.js';

export async function demo(args: readonly string[]): Promise<number> {
  parseArguments(args, {});
  await bringUp({ machine: true });
  step('demo', `fdw/demo.sql (${elapsed()} after the start)`);
  const variables = ['-v', 'ON_ERROR_STOP=1', '-v', `root=${checkout}`, '-v', `machine=${firstMachine}`];
  return runPsql(['-X', ...variables, '-P', 'pager=off', '-f', 'demo.sql'], { cwd: join(checkout, 'fdw') });
}
