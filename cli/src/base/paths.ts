/** Where things are. Nothing here depends on the current folder. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from './fail.js';

function findCheckout(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && readFileSync(manifest, 'utf8').includes('"name": "linuxsql"')) return folder;
    const parent = dirname(folder);
    if (parent === folder) throw new UserError('this command does not stand in a checkout of LinuxSQL');
    folder = parent;
  }
}

export const checkout = findCheckout();
/** Git-ignored state of this checkout, database included; LINUXSQL_HOME puts it elsewhere. */
export const home = process.env['LINUXSQL_HOME'] ? resolve(process.env['LINUXSQL_HOME']) : join(checkout, '.linuxsql');
/** Eight hex digits that tell our shared names (folders in /tmp, /var/lib) from another checkout's. */
export const homeTag = createHash('sha256').update(home).digest('hex').slice(0, 8);
/** Slow products by content hash; may be shared by checkouts. */
export const cache = process.env['LINUXSQL_CACHE'] ? resolve(process.env['LINUXSQL_CACHE']) : join(home, 'cache');
/** Stamps of finished set-up stages. */
export const stamps = join(home, 'stamps');
export const build = join(checkout, 'build');
export const dist = join(checkout, 'dist');

/** The PostgreSQL this project embeds. */
export const postgresVersion = '15';
export const postgresBin = `/usr/lib/postgresql/${postgresVersion}/bin`;
/** Longest path of a Unix socket, bytes without the final NUL. */
export const socketPathBytes = 107;

export function ensureFolder(path: string, mode?: number): string {
  mkdirSync(path, mode === undefined ? { recursive: true } : { recursive: true, mode });
  return path;
}
