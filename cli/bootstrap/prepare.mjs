/** What must exist before TypeScript runs, each step skipped when nothing changed. Exit 1 with one clear message. */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureDebianPackages } from './debian-packages.mjs';
import { ensureNpmPackages } from './npm-packages.mjs';
import { ensureCompiled } from './compile.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

function checkNode() {
  const floor = 20;
  const major = Number(process.versions.node.split('.')[0]);
  if (major < floor) throw new Error(`Node ${floor} or newer is needed; this is ${process.version}`);
}

process.umask(0o022); // dist/ must be readable for the server's account
try {
  checkNode();
  mkdirSync(join(root, '.linuxsql'), { recursive: true });
  if (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).name !== 'linuxsql') {
    throw new Error(`${root} is not a checkout of LinuxSQL`);
  }
  ensureDebianPackages(root);
  ensureNpmPackages(root);
  ensureCompiled(root);
} catch (error) {
  console.error(`linuxsql: ${error.message}`);
  process.exit(1);
}
