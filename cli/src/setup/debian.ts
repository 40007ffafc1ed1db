/** The Debian image: built on demand by firmware/build.sh, kept by content like the rest of the firmware. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../base/fail.js';
import { cache, checkout } from '../base/paths.js';
import { attach, mustRun } from '../base/run.js';

const script = join(checkout, 'firmware/build.sh');

export interface DebianImage {
  file: string;
  sha256: string;
}

/** Builds what is missing (some minutes the first time; its progress goes to the terminal). Set-up must have run. */
export async function debianImage(): Promise<DebianImage> {
  const env = { LINUXSQL_CACHE: cache };
  // Once with its progress on the terminal, once for the path alone.
  if ((await attach('bash', ['-c', 'exec bash "$0" debian >/dev/null </dev/null', script], { env })) !== 0)
    throw new UserError('the Debian image could not be built; its messages stand above');
  const file = (await mustRun('finding the Debian image', 'bash', [script, 'debian'], { env })).stdout.trim();
  const sums = readFileSync(join(dirname(file), 'SHA256SUMS'), 'utf8');
  const sha256 = /^([0-9a-f]{64}) {2}debian\.ext4$/m.exec(sums)?.[1];
  if (sha256 === undefined) throw new UserError(`${dirname(file)}/SHA256SUMS does not name debian.ext4`);
  return { file, sha256 };
}
