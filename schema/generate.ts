/** `npm run gen` writes every generated file; `npm run gen -- --check` fails, naming those that are stale. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generatedFiles } from './outputs.js';

function currentContent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Returns the paths whose content differed; writes them unless `check`. */
export function generate(root: string, check: boolean): string[] {
  const stale: string[] = [];
  for (const [name, content] of generatedFiles()) {
    const path = join(root, name);
    if (currentContent(path) === content) continue;
    stale.push(name);
    if (check) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  return stale;
}

function main(): void {
  const check = process.argv.includes('--check');
  const stale = generate(process.cwd(), check);
  for (const name of stale) console.log(`${check ? 'stale' : 'wrote'} ${name}`);
  if (check && stale.length > 0) {
    console.error('generated files are stale: run `npm run gen` and commit the result');
    process.exitCode = 1;
  } else if (stale.length === 0) {
    console.log('generated files are up to date');
  }
}

main();
