/** dist/ from the TypeScript sources, when their contents differ from those of the last compilation. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

function typescriptFiles(folder) {
  if (!existsSync(folder)) return [];
  const found = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== 'node_modules') found.push(...typescriptFiles(path));
    else if (entry.isFile() && entry.name.endsWith('.ts')) found.push(path);
  }
  return found;
}

function sourceHash(root, files) {
  const hash = createHash('sha256');
  for (const file of [join(root, 'tsconfig.json'), join(root, 'package-lock.json'), ...files]) {
    hash.update(`${relative(root, file)}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** A module whose source is gone must not be importable from an older build. */
function removeOrphans(root, files) {
  const dist = join(root, 'dist');
  const wanted = new Set(files.map((file) => relative(root, file).replace(/\.ts$/, '')));
  const visit = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (/\.js(\.map)?$/.test(entry.name) && !wanted.has(relative(dist, path).replace(/\.js(\.map)?$/, '')))
        rmSync(path);
    }
  };
  if (existsSync(dist)) visit(dist);
}

export function ensureCompiled(root) {
  const { include } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'));
  const files = include.flatMap((name) => typescriptFiles(join(root, name))).sort();
  const stamp = join(root, 'dist/.source-hash');
  const hash = sourceHash(root, files);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  console.log('[build] compiling TypeScript');
  rmSync(stamp, { force: true });
  const emitted = join(root, 'dist/cli/src/main.js');
  if (!existsSync(emitted)) rmSync(join(root, 'dist'), { recursive: true, force: true }); // tsc trusts its .tsbuildinfo
  const { status } = spawnSync(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json'],
    {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  if (!existsSync(emitted)) throw new Error('the TypeScript sources did not compile; the errors stand above');
  removeOrphans(root, files);
  if (status !== 0) {
    console.error('[build] type errors (above): `npm run lint` refuses them; going on with what was compiled');
    return;
  }
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(stamp, hash);
}
