import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkout } from '../src/base/paths.js';
import { commands } from '../src/commands/table.js';
import { run } from '../../test/harness/processes.js';

const main = join(checkout, 'dist/cli/src/main.js');
const linuxsql = (args: readonly string[], env: Record<string, string | undefined> = {}): ReturnType<typeof run> =>
  run(process.execPath, [main, ...args], { env });

test('without a command it shows all commands and fails', async () => {
  const { code, stdout } = await linuxsql([]);
  expect(code).toBe(2);
  for (const { name, hidden } of commands) if (hidden !== true) expect(stdout).toContain(`\n  ${name} `);
});

test.each(commands.filter(({ passesHelp }) => passesHelp !== true).map(({ name }) => name))(
  '%s --help explains it',
  async (name) => {
    const { code, stdout } = await linuxsql([name, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(`usage: linuxsql ${name}`);
  },
);

test.each([
  ['nonsense', 'there is no command "nonsense"'],
  ['up --fast', 'unknown option --fast'],
  ['down vm1', 'unexpected argument vm1'],
  ['image', 'image takes one of'],
  ['image import only-a-name', 'an argument is missing'],
  ['console NoSuchName', 'is no name of a machine'],
  ['bench nonsense', 'there is no benchmark "nonsense"'],
])('`%s` is a usage error', async (line, message) => {
  const { code, stderr } = await linuxsql(line.split(' '));
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test('a machine that does not run: one line and a hint', async () => {
  const { code, stderr } = await linuxsql(['console', 'no-such-machine']);
  expect(code).toBe(1);
  expect(stderr).toContain('machine no-such-machine does not run');
});

test('a server that cannot be reached: told by DATABASE_URL, and not stopped', async () => {
  const env = { DATABASE_URL: 'postgres://nobody@localhost:1/none' };
  const listed = await linuxsql(['image', 'list'], env);
  expect(listed.code).toBe(1);
  expect(listed.stderr).toContain('cannot connect to the server of DATABASE_URL');
  const stopped = await linuxsql(['down'], env);
  expect(stopped.code).toBe(1);
  expect(stopped.stderr).toContain('not ours to stop');
});
