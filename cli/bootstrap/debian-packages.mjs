/** Debian packages of cli/packages.txt: installed with apt-get by root, named exactly to anybody else. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function wantedPackages(root) {
  const lines = readFileSync(join(root, 'cli/packages.txt'), 'utf8').split('\n');
  return lines.map((line) => line.replace(/#.*/, '').trim()).filter((name) => name !== '');
}

export function missingPackages(names) {
  const query = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names], {
    encoding: 'utf8',
  });
  if (query.error)
    throw new Error('dpkg-query is missing: set-up is written for Debian 12; see README.md for what it needs');
  const installed = new Set();
  for (const line of query.stdout.split('\n')) {
    const [name, status] = line.split(' ');
    if (status === 'installed') installed.add(name);
  }
  return names.filter((name) => !installed.has(name));
}

export function ensureDebianPackages(root) {
  const missing = missingPackages(wantedPackages(root));
  if (missing.length === 0) return;
  if (process.getuid() !== 0) {
    throw new Error(
      `these Debian packages are missing, and only root can install them:\n\n` +
        `    apt-get update && apt-get install --no-install-recommends ${missing.join(' ')}\n`,
    );
  }
  console.log(`[packages] installing ${missing.length} Debian packages: ${missing.join(' ')}`);
  if (!listsPresent()) aptGet(['update']);
  const shim = withoutDefaultCluster();
  try {
    finishInterrupted(shim);
    const path = `DPkg::Path=${shim}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
    const install = ['install', '-y', '--no-install-recommends', '-o', path, ...missing];
    if (!aptGet(install, false)) {
      aptGet(['update']);
      aptGet(install);
    }
  } finally {
    rmSync(shim, { recursive: true, force: true });
  }
  const still = missingPackages(missing);
  if (still.length > 0) throw new Error(`apt-get did not install: ${still.join(' ')}`);
}

function listsPresent() {
  const folder = '/var/lib/apt/lists';
  return existsSync(folder) && readdirSync(folder).some((name) => name.includes('_Packages'));
}

/**
 * postgresql-15's package makes and starts a cluster on port 5432 when it is installed first. A pg_createcluster that
 * does nothing, ahead on dpkg's PATH for this one run, leaves that to the machine's owner and /etc untouched.
 */
function withoutDefaultCluster() {
  const folder = mkdtempSync(join(tmpdir(), 'linuxsql-apt-'));
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'pg_createcluster'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  return folder;
}

const quiet = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' };

/** An installation that was cut short must be finished before apt-get does anything else. */
function finishInterrupted(shim) {
  const { stdout } = spawnSync('dpkg', ['--audit'], { encoding: 'utf8' });
  if (stdout.trim() === '') return;
  console.log('[packages] finishing an installation that was interrupted');
  const env = { ...process.env, ...quiet, PATH: `${shim}:${process.env.PATH}` };
  spawnSync('dpkg', ['--configure', '-a'], { stdio: ['ignore', 'inherit', 'inherit'], env });
}

function aptGet(args, must = true) {
  const env = { ...process.env, ...quiet };
  const full = ['-q', '-o', 'Dpkg::Use-Pty=0', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3', ...args];
  const { status } = spawnSync('apt-get', full, { stdio: ['ignore', 'inherit', 'inherit'], env });
  if (status === 0) return true;
  if (must) throw new Error(`apt-get ${args[0]} failed with exit code ${status}; its messages stand above`);
  return false;
}
