/**
 * The hart as a program of other hosts, and as a program of this one with sanitizers: cross-built and run under their
 * user-mode emulators it passes the same programs and ends in the same state as here, bit for bit, under both engines.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildChaos } from '../lockstep/chaos.js';
import { bareProgramNames, runBareProgram } from './bare-programs.js';
import { comparable } from './deviations.js';
import { emitFloatRow, floatOperands } from './float-rows.js';
import {
  build,
  buildHart,
  compareWithPeer,
  hartCommand,
  linkBare,
  run,
  runHart,
  withFolder,
  type HostName,
} from './harness.js';
import { readRows, repositoryRoot } from './insn-table.js';
import { Program } from './program.js';
import { randomProgram } from './random-program.js';
import { Random } from './random.js';

const rows = readRows();
const hosts = ['aarch64', 'riscv64', 'asan'] as const;
const engines = ['interp', 'jit'] as const;

interface FinalState {
  readonly instret: unknown;
  readonly state: unknown;
}

function readState(file: string): FinalState {
  const stats = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  return { instret: stats['instret'], state: stats['state_sha256'] };
}

async function finalState(elf: string, host: HostName, engine: string, folder: string): Promise<FinalState> {
  const file = `${folder}/${host}-${engine}.json`;
  const result = await runHart(elf, host, ['--memory', '16M', '--stats', file], engine);
  expect(`${host} ${result.status} ${result.stderr}`).toBe(`${host} exit 0 `);
  return readState(file);
}

/** The state after some instructions of a program that never ends, where code is translated at once. */
async function stateAfter(elf: string, host: HostName, engine: string, insns: number, cacheBytes: number) {
  const file = `${elf}.${host}-${engine}.json`;
  const soon = ['env', 'LINUXSQL_JIT_THRESHOLD=1', `LINUXSQL_JIT_CACHE=${cacheBytes}`];
  const options = ['--memory', '16M', '--engine', engine, '--stats', file, '--max-insns', String(insns)];
  const result = await run([...soon, ...hartCommand(host), '--bare', elf, ...options]);
  expect(`${host} ${engine} ${result.stderr}`).not.toContain('lockstep:');
  return readState(file);
}

beforeAll(() => buildHart('native'), 600_000);

for (const host of hosts) {
  describe(host, () => {
    beforeAll(() => buildHart(host), 600_000);

    for (const engine of engines) {
      test(`random code agrees with QEMU, ${engine}`, { timeout: 120_000 }, async () => {
        expect(await compareWithPeer(randomProgram(rows, new Random(99), 300), { host, engine })).toBeUndefined();
      });

      test(`floating point agrees with QEMU, ${engine}`, { timeout: 120_000 }, async () => {
        const program = new Program();
        const random = new Random(5);
        const operands = floatOperands(random, 20);
        for (const row of rows.filter(comparable)) emitFloatRow(program, row, operands, random);
        expect(await compareWithPeer(program, { host, engine })).toBeUndefined();
      });

      test(`the privileged programs pass, ${engine}`, { timeout: 120_000 }, async () => {
        for (const name of bareProgramNames()) expect(await runBareProgram(name, host, engine)).toBe(`${name}: exit 0`);
      });

      test(`the final state is that of this host, ${engine}`, { timeout: 120_000 }, async () => {
        await withFolder(async (folder) => {
          const elves = await build(randomProgram(rows, new Random(7), 300), folder);
          const here = await finalState(elves.bare, 'native', 'interp', folder);
          expect(await finalState(elves.bare, host, engine, folder)).toEqual(here);
        });
      });
    }

    test(
      'storms of faults, interrupts and rewritten code leave the state of this host',
      { timeout: 180_000 },
      async () => {
        await withFolder(async (folder) => {
          const elves = [await buildChaos(rows, 31, folder)];
          for (const name of ['storm', 'offsets', 'faults', 'coherence']) {
            elves.push(`${folder}/${name}.elf`);
            const source = `${repositoryRoot}test/lockstep/bare/${name}.S`;
            await linkBare(source, `${repositoryRoot}test/isa/bare/layout.ld`, `${folder}/${name}.elf`);
          }
          for (const elf of elves) {
            const here = await stateAfter(elf, 'native', 'interp', 40_000, 0);
            expect(await stateAfter(elf, host, 'jit', 40_000, 0)).toEqual(
              here,
            ); /* the smallest cache: code is evicted */
            expect(await stateAfter(elf, host, 'lockstep', 40_000, 1 << 24)).toEqual(here);
          }
        });
      },
    );
  });
}
