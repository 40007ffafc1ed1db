/** The privileged programs of bare/. */
import { readdirSync } from 'node:fs';
import { engineOfTests, linkBare, runHart, withFolder, type HostName } from './harness.js';
import { repositoryRoot } from './insn-table.js';

const folder = `${repositoryRoot}test/isa/bare`;

export const bareProgramNames = (): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.S'))
    .map((name) => name.slice(0, -2));

/** "NAME: exit 0", or how it ended and what the daemon said: the number of the failed expectation. */
export function runBareProgram(name: string, host?: HostName, engine: string = engineOfTests()): Promise<string> {
  return withFolder(async (work) => {
    const elf = `${work}/${name}.elf`;
    await linkBare(`${folder}/${name}.S`, `${folder}/layout.ld`, elf);
    const result = await runHart(elf, host, [], engine);
    return `${name}: ${result.status} ${result.stderr}`.trim();
  });
}
