/**
 * Runs bare programs under chosen engines. LINUXSQL_TEST_SCALE multiplies the amount of generated cases, as in test/isa.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { run } from '../harness/processes.js';
import { vmBinary } from '../harness/artifacts.js';
import { linkBare } from '../isa/harness.js';
import { repositoryRoot } from '../isa/insn-table.js';

export type EngineName = 'interp' | 'jit' | 'lockstep';

export interface Outcome {
  readonly code: number | null;
  readonly stderr: string;
  readonly stoppedBy: string;
  readonly instret: number;
  readonly jitInsns: number;
  readonly state: string;
  /** All figures of the statistics. */
  readonly figures: Readonly<Record<string, unknown>>;
}

export interface RunChoice {
  readonly engine: EngineName;
  readonly maxInsns?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Where the statistics of a run go beside the program; runs of one program must not overlap. */
const statsOf = (elf: string, engine: string): string => `${elf}.${engine}.json`;

export async function runBare(elf: string, { engine, maxInsns, env = {} }: RunChoice): Promise<Outcome> {
  const stats = statsOf(elf, engine);
  const limit = maxInsns === undefined ? [] : ['--max-insns', String(maxInsns)];
  const args = ['--bare', elf, '--memory', '16M', '--engine', engine, '--stats', stats, ...limit];
  const result = await run(vmBinary(), args, { timeoutMs: 120_000, env: { ...process.env, ...env } });
  if (result.code !== 0 && result.code !== 1)
    throw new Error(`${elf} under ${engine} ended with ${String(result.code)}: ${result.stderr}`);
  const figures = JSON.parse(readFileSync(stats, 'utf8')) as Record<string, unknown>;
  return {
    code: result.code,
    stderr: result.stderr,
    stoppedBy: String(figures['stopped_by']),
    instret: Number(figures['instret']),
    jitInsns: Number(figures['jit_insns']),
    state: String(figures['state_sha256']),
    figures,
  };
}

/** Links test/lockstep/bare/NAME.S in the frame of the privileged tests, with a macro defined if one is given. */
export async function buildBare(name: string, folder: string, macro?: string): Promise<string> {
  const elf = `${folder}/${name}-${macro ?? 'plain'}.elf`;
  let source = `${repositoryRoot}test/lockstep/bare/${name}.S`;
  if (macro !== undefined) {
    const text = `#define ${macro}\n#include "${source}"\n`;
    source = `${folder}/${name}-${macro}.S`;
    writeFileSync(source, text);
  }
  await linkBare(source, `${repositoryRoot}test/isa/bare/layout.ld`, elf);
  return elf;
}

/** What a run must look like: it ended where it should, and no engine contradicted the other. */
export const verdict = ({ stoppedBy, instret, state, stderr }: Outcome): string =>
  stderr.includes('lockstep:') ? stderr : `${stoppedBy} after ${instret}: ${state}`;
