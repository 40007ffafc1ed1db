/** The Debian image: built on demand by firmware/build.sh, kept by content like the rest of the firmware. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../base/fail.js';
import { checkout } from '../base/paths.js';
import { builtImage } from './built-image.js';

const script = join(checkout, 'firmware/build.sh');

export interface DebianImage {
  file: string;
  sha256: string;
}

/** Builds what is missing (some minutes the first time; its progress goes to the terminal). Set-up must have run. */
export async function debianImage(): Promise<DebianImage> {
  const file = await builtImage('the Debian image', script, ['debian']);
  const sums = readFileSync(join(dirname(file), 'SHA256SUMS'), 'utf8');
  const sha256 = /^([0-9a-f]{64}) {2}debian\.ext4$/m.exec(sums)?.[1];
  if (sha256 === undefined) throw new UserError(`${dirname(file)}/SHA256SUMS does not name debian.ext4`);
  return { file, sha256 };
}
