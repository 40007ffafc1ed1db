/** fdw/demo.sql, what `npm run demo` prints: every query answers, on the machine that was named, beside others. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkout } from '../cli/src/base/paths.js';
import { psqlProgram } from '../cli/src/commands/psql.js';
import { startChain } from './harness/chain.js';
import { run } from './harness/processes.js';

test('the demo runs to its end on the named machine, whatever others there are', { timeout: 200_000 }, async () => {
  const chain = await startChain();
  const client = await chain.connect();
  await client.query("select linuxsql.create_machine('another', 'opensbi', 'linux-6.1', base_image => 'mini')");
  await client.end();
  const { socketDir, name } = chain.database;
  const settings = ['ON_ERROR_STOP=1', `root=${checkout}`, `machine=${chain.machine}`].flatMap((text) => ['-v', text]);
  const { code, stdout, stderr } = await run(
    psqlProgram(),
    ['-X', '-h', socketDir, '-p', '5432', '-U', 'postgres', '-d', name, ...settings, '-f', 'demo.sql'],
    { cwd: join(checkout, 'fdw'), timeoutMs: 180_000 },
  );
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(stdout.match(/^== .*$/gm)).toHaveLength(12);
  expect(stdout).toMatch(/Linux 6\.1\.\d+ riscv64/);
  expect(stdout).not.toContain('(0 rows)');
  const [listed] = stdout.split('== The machine runs on').slice(-1);
  expect(listed).toMatch(/another \| stopped/);
  expect(listed).toMatch(/vm1 +\| running/);
});
