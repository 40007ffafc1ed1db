/** Content hashes by which stages know whether their inputs changed. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, existsSync, lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

export interface TreeFilter {
  /** Names of files and folders left out wherever they occur. */
  skip?: ReadonlySet<string>;
  /** File name endings left out. */
  skipEndings?: readonly string[];
}

const alwaysSkipped = new Set(['node_modules', '.git', 'build', 'dist', '.linuxsql', 'results', '.deps']);
const productEndings = ['.o', '.so', '.bc', '.a', '.log', '.d', '.tmp'];

/** Hash over the names, modes and contents of files and folders; a path that does not exist counts as absent. */
export function hashTree(paths: readonly string[], filter: TreeFilter = {}): string {
  const hash = createHash('sha256');
  for (const path of paths) addPath(hash, path, '', filter);
  return hash.digest('hex');
}

function addPath(hash: Hash, path: string, label: string, filter: TreeFilter): void {
  if (!existsSync(path)) {
    hash.update(`${label}\0absent\0`);
    return;
  }
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) {
    hash.update(`${label}\0link\0${readlinkSync(path)}\0`);
  } else if (stat.isDirectory()) {
    for (const name of readdirSync(path).sort()) {
      if (isSkipped(name, filter)) continue;
      addPath(hash, join(path, name), `${label}/${name}`, filter);
    }
  } else if (stat.isFile()) {
    hash
      .update(`${label}\0${stat.mode & 0o111}\0`)
      .update(readFileSync(path))
      .update('\0');
  }
}

function isSkipped(name: string, filter: TreeFilter): boolean {
  if (alwaysSkipped.has(name) || filter.skip?.has(name) === true) return true;
  return [...productEndings, ...(filter.skipEndings ?? [])].some((ending) => name.endsWith(ending));
}

export function hashText(...texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text}\0`);
  return hash.digest('hex');
}

/** SHA-256 of one file of any size. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
