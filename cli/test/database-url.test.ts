/** An existing server instead of the embedded one. */
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { checkout } from '../src/base/paths.js';
import { startCluster, supervisedDatabase, type OwnCluster } from '../../test/harness/cluster.js';
import { run } from '../../test/harness/processes.js';

let cluster: OwnCluster;
let url: string;

const linuxsql = (...args: string[]): ReturnType<typeof run> =>
  run(process.execPath, [join(checkout, 'dist/cli/src/main.js'), ...args], {
    env: { DATABASE_URL: url },
    timeoutMs: 120_000,
  });

beforeAll(async () => {
  cluster = await startCluster({ preload: true });
  const database = await cluster.createDatabase({ name: supervisedDatabase, fill: false });
  url = `postgresql://postgres@/${database.name}?host=${encodeURIComponent(cluster.socketDir)}`;
});

test('up fills an empty database; repeating it changes nothing', async () => {
  const first = await linuxsql('up');
  expect(first.stderr).toContain('extension linuxsql 0.1.0 created');
  expect(first.stderr).toContain('vm1 created');
  expect(first.code).toBe(0);
  const second = await linuxsql('up');
  expect(second.stderr).not.toContain('created');
  expect(second.code).toBe(0);
});

test('psql, status and the images speak to that server', async () => {
  const asked = await linuxsql('psql', '-At', '-c', 'select machine, state from vm_list()');
  expect(asked).toMatchObject({ code: 0, stdout: 'vm1|stopped\n' });
  const { stdout } = await linuxsql('status');
  expect(stdout).toContain('the server of DATABASE_URL');
  expect(stdout).toContain(cluster.socketDir);
  expect((await linuxsql('image', 'verify', 'opensbi')).stdout).toBe('opensbi: good\n');
});

test('doctor looks at that server', async () => {
  const { stdout } = await linuxsql('doctor');
  expect(stdout).toContain('the supervisor is preloaded');
  expect(stdout).toContain('extension linuxsql 0.1.0');
});
