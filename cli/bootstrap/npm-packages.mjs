/** node_modules after package-lock.json. Installed again only when the two disagree. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** npm writes node_modules/.package-lock.json last, so an interrupted install is seen as stale. */
export function npmPackagesCurrent(root) {
  const installedFile = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    if (installed[path] === undefined)
      return entry.optional === true || entry.devOptional === true || entry.peer === true;
    return installed[path].version === entry.version && installed[path].integrity === entry.integrity;
  });
}

export function ensureNpmPackages(root) {
  if (npmPackagesCurrent(root)) return;
  console.log('[npm] installing the packages of package-lock.json');
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status, error } = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error || status !== 0) throw new Error('npm ci failed; its messages stand above');
}
