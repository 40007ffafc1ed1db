import { join } from 'node:path';
import { checkout, dist } from '../base/paths.js';
import { attach } from '../base/run.js';

export function gen(args: readonly string[]): Promise<number> {
  return attach(process.execPath, [join(dist, 'schema/generate.js'), ...args], { cwd: checkout });
}
