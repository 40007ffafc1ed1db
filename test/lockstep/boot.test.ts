/**
 * A boot to the shell in lockstep, and workloads in the guest. LINUXSQL_TEST_SCALE multiplies their work: at 30 the
 * whole is more than two thousand million instructions.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bootWorkloads, runWorkload } from '../../bench/workloads.js';
import { ours, type Machine } from '../../bench/machines.js';
import { vmBinary } from '../harness/artifacts.js';
import { prompt, startGuest } from '../harness/guest.js';
import { run } from '../harness/processes.js';
import { tempDir } from '../harness/temp.js';
import { scaled } from '../isa/harness.js';
import { bootArgs, readStats, type Stats } from '../machine/machine.js';

const SHELL = 147_000_000;

async function bootUnder(engine: string, env: Record<string, string> = {}): Promise<Stats> {
  const stats = join(tempDir(), 'stats.json');
  const limits = ['--memory', '256M', '--idle', 'jump', '--stop-at', String(SHELL), '--stats', stats];
  const args = [...(await bootArgs()), ...limits, '--engine', engine];
  const { code, stderr } = await run(vmBinary(), args, {
    timeoutMs: 170_000,
    input: '',
    env: { ...process.env, ...env },
  });
  if (code !== 0) throw new Error(`linuxsql-vm ended with ${String(code)}: ${stderr}`);
  return readStats(stats);
}

test('a boot to the shell in lockstep, and the same state under every engine', { timeout: 240_000 }, async () => {
  const interp = await bootUnder('interp');
  expect(interp.instret).toBe(SHELL);
  const settings: [string, Record<string, string>][] = [
    ['lockstep', {}],
    ['jit', {}],
    ['jit', { LINUXSQL_JIT_THRESHOLD: '1' }],
    ['jit', { LINUXSQL_JIT_THRESHOLD: '4', LINUXSQL_JIT_CACHE: '4194304' }],
  ];
  for (const [engine, env] of settings) {
    const other = await bootUnder(engine, env);
    expect([engine, env, other.state_sha256]).toEqual([engine, env, interp.state_sha256]);
    expect(other.jit_insns).toBeGreaterThan(SHELL / 2);
  }
});

test('a machine with a disk, typed input and a reboot runs in lockstep', { timeout: 240_000 }, async () => {
  const guest = await startGuest({ disk: true, args: ['--engine', 'lockstep'] });
  await guest.expect(prompt);
  await guest.shell('dd if=/dev/urandom of=/file bs=64k count=32; sync');
  const written = await guest.shell('md5sum </file');
  expect(written).toMatch(/^[0-9a-f]{32}/);
  await guest.shell('echo 3 >/proc/sys/vm/drop_caches');
  expect(await guest.shell('md5sum </file')).toBe(written);
  guest.send('reboot -f\n');
  await guest.expect(prompt);
  expect(await guest.shell('md5sum </file')).toBe(written);
  guest.send('poweroff -f\n');
  expect(await guest.process.exited()).toBe(0);
});

/** Work of some five million instructions each. */
const portions: readonly [workload: string, scale: number][] = [
  ['coremark', 8],
  ['fib', 22],
  ['nbody', 400],
  ['matmul', 1],
  ['json', 1],
  ['btree', 150],
  ['sha256', 20],
  ['dispatch', 40_000],
  ['getppid', 4000],
  ['fork', 6],
  ['pipe', 400],
  ['faults', 500],
  ['rewrite', 400],
];

test('workloads in a guest run in lockstep', { timeout: 600_000 }, async () => {
  const jit = ours('jit');
  const lockstep: Machine = {
    name: 'linuxsql-vm, lockstep',
    command: async (guest) => {
      const { program, args } = await jit.command(guest);
      return { program, args: args.map((arg) => (arg === 'jit' ? 'lockstep' : arg)) };
    },
  };
  const session = await bootWorkloads(lockstep);
  try {
    for (const [name, scale] of portions) {
      const { checksum } = await runWorkload(session, name, name === 'fib' ? scale : scaled(scale));
      expect(`${name} ${checksum}`).toMatch(/^\w+ [0-9a-f]{16}/);
    }
  } finally {
    await session.end();
  }
});
