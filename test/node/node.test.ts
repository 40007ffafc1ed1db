/**
 * A guest that writes its own machine code: Node runs a script that makes V8 compile, optimise, throw away and compile again. It
 * answers what the host's Node answers, and leaves one state under both engines.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cache, checkout } from '../../cli/src/base/paths.js';
import { firmwareFiles, vmBinary } from '../harness/artifacts.js';
import { run } from '../harness/processes.js';
import { tempDir } from '../harness/temp.js';
import { readStats, type Stats } from '../machine/machine.js';

const folder = join(checkout, 'test/node');

async function diskImage(): Promise<string> {
  const env = { ...process.env, LINUXSQL_CACHE: cache };
  const { code, stdout, stderr } = await run('bash', [join(folder, 'build.sh')], { timeoutMs: 600_000, env });
  if (code !== 0) throw new Error(`the disk of the Node guest could not be built: ${stderr}`);
  return stdout.trim();
}

async function hostAnswer(): Promise<string> {
  const { code, stdout, stderr } = await run(process.execPath, [join(folder, 'script.mjs')]);
  if (code !== 0) throw new Error(`the script ended with ${String(code)} here: ${stderr}`);
  return stdout.trim();
}

interface Outcome {
  readonly answer: string;
  readonly stats: Stats;
}

/** From reset until the guest has powered itself off. */
async function runGuest(engine: string, disk: string): Promise<Outcome> {
  const { firmware, kernel } = await firmwareFiles();
  const stats = join(tempDir(), 'stats.json');
  const args = ['--bios', firmware, '--kernel', kernel, '--memory', '1G', '--idle', 'jump', '--engine', engine];
  args.push('--disk', disk, '--disk-read-only', '--append', 'console=ttyS0 root=/dev/vda ro init=/bench/init quiet');
  args.push('--console', 'stdio', '--stats', stats);
  const { code, stdout, stderr } = await run(vmBinary(), args, { timeoutMs: 420_000, input: '' });
  if (code !== 0) throw new Error(`linuxsql-vm ended with ${String(code)}: ${stderr}\n${stdout.slice(-2000)}`);
  return { answer: /^@.*$/m.exec(stdout)?.[0].trim() ?? stdout.slice(-2000), stats: readStats(stats) };
}

test('Node in a guest answers as here, and ends in one state under both engines', { timeout: 900_000 }, async () => {
  const disk = await diskImage();
  const jit = await runGuest('jit', disk);
  expect(jit.answer).toBe(`@answer ${await hostAnswer()}`);
  expect(jit.stats.stop_reason).toBe('poweroff');
  expect(jit.stats.jit_insns).toBeGreaterThan(jit.stats.instret / 2);
  const interp = await runGuest('interp', disk);
  expect(interp.answer).toBe(jit.answer);
  expect([interp.stats.instret, interp.stats.state_sha256]).toEqual([jit.stats.instret, jit.stats.state_sha256]);
});
