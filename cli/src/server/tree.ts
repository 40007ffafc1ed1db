/**
 * A relocated PostgreSQL tree that carries this checkout's extension, so that nothing is written under /usr and two
 * checkouts do not meet. PostgreSQL finds its share and library folders relative to where its programs stand
 * (src/port/path.c, make_relative_path): copies of the three server programs stand in <tree>/lib/postgresql/15/bin,
 * everything else beside them is a link to Debian's files, except the extension's own.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { UserError } from '../base/fail.js';
import { hashText } from '../base/hash.js';
import { ensureFolder, postgresBin, postgresVersion } from '../base/paths.js';

const programs = ['postgres', 'initdb', 'pg_ctl'] as const;
const systemShare = `/usr/share/postgresql/${postgresVersion}`;
const systemLibrary = `/usr/lib/postgresql/${postgresVersion}/lib`;

export interface TreeFolders {
  bin: string;
  share: string;
  extension: string;
  library: string;
}

export function treeFolders(tree: string): TreeFolders {
  const share = join(tree, `share/postgresql/${postgresVersion}`);
  const prefix = join(tree, `lib/postgresql/${postgresVersion}`);
  return { bin: join(prefix, 'bin'), library: join(prefix, 'lib'), share, extension: join(share, 'extension') };
}

export function treePresent(tree: string): boolean {
  const { bin, extension, library } = treeFolders(tree);
  return [join(bin, 'postgres'), join(extension, 'linuxsql.control'), join(library, 'linuxsql.so')].every((path) =>
    existsSync(path),
  );
}

/** Changes when Debian's packages are upgraded. */
export function systemFingerprint(): string {
  const files = programs.map((name) => join(postgresBin, name));
  if (!files.every((file) => existsSync(file))) {
    throw new UserError(`PostgreSQL ${postgresVersion} is not installed (${postgresBin} is missing programs)`, {
      hint: 'The Debian package is postgresql-15.',
    });
  }
  const marks = files.map((file) => `${statSync(file).size} ${statSync(file).mtimeMs}`);
  return hashText(
    ...marks,
    ...readdirSync(systemLibrary).sort(),
    ...readdirSync(join(systemShare, 'extension')).sort(),
  );
}

/** A running program keeps its old file: the new one takes the name by rename. */
function replaceFile(source: string, target: string, mode: number): void {
  const temporary = `${target}.new`;
  copyFileSync(source, temporary);
  chmodSync(temporary, mode);
  renameSync(temporary, target);
}

function linkAll(from: string, to: string, own: ReadonlySet<string>): void {
  ensureFolder(to, 0o755);
  const wanted = new Set(readdirSync(from));
  for (const name of readdirSync(to)) {
    const path = join(to, name);
    if (lstatSync(path).isSymbolicLink() && !wanted.has(name)) rmSync(path);
  }
  for (const name of wanted) {
    if (own.has(name)) continue;
    const link = join(to, name);
    const target = join(from, name);
    const there = lstatSync(link, { throwIfNoEntry: false });
    if (there?.isSymbolicLink() === true && readlinkSync(link) === target) continue;
    if (there !== undefined) rmSync(link, { recursive: true });
    symlinkSync(target, link);
  }
}

/** `staged` is what `make install DESTDIR=…` of the extension wrote. */
export function makeTree(tree: string, staged: string): void {
  const { bin, share, extension, library } = treeFolders(tree);
  ensureFolder(bin, 0o755);
  for (const name of programs) replaceFile(join(postgresBin, name), join(bin, name), 0o755);
  const ownFiles = [...filesIn(join(staged, systemShare, 'extension')), ...filesIn(join(staged, systemLibrary))];
  if (!ownFiles.some((file) => file.endsWith('/linuxsql.so')))
    throw new UserError('the extension did not install linuxsql.so');
  const own = new Set(ownFiles.map((file) => basename(file)));
  linkAll(systemShare, share, new Set(['extension']));
  linkAll(join(systemShare, 'extension'), extension, own);
  linkAll(systemLibrary, library, own);
  for (const file of ownFiles) {
    const target = join(file.endsWith('.so') ? library : extension, basename(file));
    if (lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink() === true) rmSync(target);
    replaceFile(file, target, file.endsWith('.so') ? 0o755 : 0o644);
  }
}

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(folder, entry.name));
}
