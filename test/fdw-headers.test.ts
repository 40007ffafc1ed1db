/** The extension compiles without a warning against the headers of PostgreSQL 17 and 18, as Debian ships them. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cache, checkout } from '../cli/src/base/paths.js';
import { run } from './harness/processes.js';

test.each([
  ['trixie', '17'],
  ['forky', '18'],
])(
  'headers of %s: PostgreSQL %s',
  async (suite, version) => {
    const script = join(checkout, 'test/fdw/headers.sh');
    const { code, stdout, stderr } = await run('bash', [script, checkout, cache, suite, version], {
      timeoutMs: 300_000,
    });
    expect(`${stdout}${stderr}`.match(/.*(error|warning):.*/g) ?? []).toEqual([]);
    expect(code, stderr).toBe(0);
  },
  320_000,
);
