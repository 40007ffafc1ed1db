/** Short folders in /tmp that the server's account may write to; removed when the test file ends. */
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { serverAccount } from '../../cli/src/base/account.js';
import { atEnd } from './cleanup.js';

/** Unix socket paths are limited to 107 bytes, hence not $TMPDIR, which may be long. */
export function makeTempDir(): string {
  const folder = mkdtempSync('/tmp/lsq-');
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
