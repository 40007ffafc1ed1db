/** Packages of another Debian suite without touching /etc/apt: firmware/lib/private-apt.sh does it for scripts and for us. */
import { join } from 'node:path';
import { cache, checkout, ensureFolder } from '../base/paths.js';
import { mustRun } from '../base/run.js';

/** Makes a configuration for source packages of a suite and returns its path, for APT_CONFIG. */
export async function prepareSourceApt(suite: string): Promise<string> {
  const folder = ensureFolder(join(cache, 'apt', `${suite}-source`));
  const script =
    'set -euo pipefail; . firmware/lib/private-apt.sh; private_apt_prepare "$1" "$2" "$(dpkg --print-architecture)" deb-src';
  await mustRun(`reading Debian's list of ${suite}`, 'bash', ['-c', script, 'bash', folder, suite], {
    cwd: checkout,
    timeoutMs: 300_000,
  });
  return join(folder, 'apt.conf');
}
