/** Style and types: everything is checked and told, then the exit code says whether all was well. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { elapsed, step } from '../base/log.js';
import { checkout } from '../base/paths.js';
import { attach } from '../base/run.js';

interface Check {
  name: string;
  files: string[];
  command: readonly string[];
}

/** Files that git tracks or would track; outside a repository, none. */
export function sourceFiles(): string[] {
  const { stdout, status } = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: checkout,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  if (status !== 0) return [];
  return stdout.split('\0').filter((name) => name !== '' && existsSync(join(checkout, name)));
}

function isShell(name: string): boolean {
  if (name.endsWith('.sh')) return true;
  if (name.includes('.') && !name.startsWith('.ci/')) return false;
  const head = readFileSync(join(checkout, name), { encoding: 'utf8', flag: 'r' }).slice(0, 64);
  return /^#!.*\b(ba)?sh\b/.test(head);
}

function checks(): Check[] {
  const files = sourceFiles();
  const node = process.execPath;
  const tool = (path: string): string => join(checkout, 'node_modules', path);
  const assembly = /^test\/isa\/.*\.h$/; // headers that assembler sources include
  const c = files.filter((name) => /\.(c|h|cc)$/.test(name) && !name.includes('/gen/') && !assembly.test(name));
  const shell = files.filter(isShell);
  const plain = files.filter((name) => name.endsWith('.mjs') && !name.startsWith('eslint'));
  return [
    {
      name: 'types',
      files: ['.'],
      command: [node, tool('typescript/bin/tsc'), '-p', 'tsconfig.json', '--noEmit', '--incremental', 'false'],
    },
    { name: 'eslint', files: ['.'], command: [node, tool('eslint/bin/eslint.js'), '--max-warnings', '0', '.'] },
    {
      name: 'prettier',
      files: ['.'],
      command: [node, tool('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.'],
    },
    { name: 'clang-format', files: c, command: ['clang-format', '--dry-run', '-Werror', ...c] },
    ...shell.map((name) => ({ name: `shell ${name}`, files: [name], command: ['bash', '-n', name] })),
    ...plain.map((name) => ({ name: `syntax ${name}`, files: [name], command: [node, '--check', name] })),
  ];
}

export async function lint(): Promise<number> {
  const failed: string[] = [];
  for (const { name, files, command } of checks()) {
    if (files.length === 0) continue;
    const [program = '', ...args] = command;
    const started = Date.now();
    const code = await attach(program, args, { cwd: checkout });
    if (code !== 0) failed.push(name);
    if (Date.now() - started > 2000 || code !== 0)
      step('lint', `${name}: ${code === 0 ? 'good' : 'FAILED'} (${elapsed(started)})`);
  }
  console.log(failed.length === 0 ? 'lint: all good' : `lint: failed: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
}
