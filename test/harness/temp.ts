/** Short folders in /tmp that the server's account may write to; removed when the test file ends. */
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serverAccount } from '../../cli/src/base/account.js';
import { commandLine, isAlive } from '../../cli/src/base/proc.js';
import { atEnd } from './cleanup.js';

/** Unix socket paths are limited to 107 bytes, hence not $TMPDIR, which may be long. */
const prefix = '/tmp/lsq-';
const ownerFile = 'owner.pid';

export function makeTempDir(): string {
  const folder = mkdtempSync(prefix);
  writeFileSync(join(folder, ownerFile), String(process.pid));
  const account = serverAccount();
  if (account.switched) chownSync(folder, account.uid, account.gid);
  return folder;
}

export function removeTree(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

export function tempDir(): string {
  const folder = makeTempDir();
  atEnd(() => removeTree(folder));
  return folder;
}

function pidIn(file: string): number {
  return existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8'), 10) : Number.NaN;
}

/** What test runs that were killed have left: their folders, and the servers that still run in them. */
export function sweepLeftovers(): void {
  for (const name of readdirSync('/tmp').filter((entry) => entry.startsWith('lsq-'))) {
    const folder = join('/tmp', name);
    const owner = pidIn(join(folder, ownerFile));
    if (Number.isNaN(owner) || isAlive(owner)) continue;
    const data = join(folder, 'data');
    const postmaster = pidIn(join(data, 'postmaster.pid'));
    if (!Number.isNaN(postmaster) && commandLine(postmaster).includes(data)) process.kill(postmaster, 'SIGQUIT');
    removeTree(folder);
  }
}
