/** What is missing on this machine, and how to get it. Changes nothing. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { serverAccount } from '../base/account.js';
import { messageOf } from '../base/fail.js';
import { cache, checkout, ensureFolder, home } from '../base/paths.js';
import { place } from '../base/place.js';
import { extensionAvailable, extensionVersion, installationAdvice } from '../server/database.js';
import { embeddedPid } from '../server/embedded.js';
import { externalServer, withClient } from '../server/session.js';
import { allStages } from '../setup/stages.js';
import { isCurrent } from '../setup/stage.js';

interface Finding {
  level: 'good' | 'note' | 'missing';
  text: string;
  remedy?: string;
}

const gib = 1 << 30;

function nodeFinding(): Finding {
  return { level: 'good', text: `Node ${process.version}` };
}

function packagesFinding(): Finding {
  const list = readFileSync(join(checkout, 'cli/packages.txt'), 'utf8').split('\n');
  const names = list.map((line) => line.replace(/#.*/, '').trim()).filter((name) => name !== '');
  const { stdout, error } = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\\n', ...names], {
    encoding: 'utf8',
  });
  if (error !== undefined)
    return { level: 'missing', text: 'this is not a Debian system', remedy: 'set-up is written for Debian 12' };
  const installed = new Set(
    stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  const missing = names.filter((name) => !installed.has(name));
  if (missing.length === 0) return { level: 'good', text: `all ${names.length} Debian packages of cli/packages.txt` };
  return {
    level: 'missing',
    text: `Debian packages: ${missing.join(' ')}`,
    remedy: `as root: apt-get install --no-install-recommends ${missing.join(' ')}`,
  };
}

function accountFinding(): Finding {
  try {
    const { name } = serverAccount();
    const { base, run, outside } = place();
    return {
      level: 'good',
      text: `the server runs as "${name}" in ${base}${outside ? ' (that account cannot enter the checkout)' : ''}, sockets in ${run}`,
    };
  } catch (error) {
    return { level: 'missing', text: messageOf(error), remedy: 'npm run setup' };
  }
}

function spaceFinding(): Finding {
  const { bavail, bsize } = statfsSync(ensureFolder(home));
  const free = bavail * bsize;
  const text = `${(free / gib).toFixed(1)} GiB free for ${home}`;
  return free < 8 * gib
    ? { level: 'note', text, remedy: 'the first set-up takes about 8 GiB' }
    : { level: 'good', text };
}

function hostFinding(): Finding {
  const memory = totalmem() / gib;
  const text = `${availableParallelism()} processors, ${memory.toFixed(1)} GiB of memory`;
  return memory < 3
    ? { level: 'note', text, remedy: 'a guest of 1 GiB beside its server wants 3 GiB' }
    : { level: 'good', text };
}

function cronFinding(): Finding {
  return existsSync('/usr/lib/postgresql/15/lib/pg_cron.so')
    ? { level: 'good', text: 'pg_cron' }
    : {
        level: 'note',
        text: 'no pg_cron: vm_refresh_every() uses the supervisor for every interval',
        remedy: 'Debian package postgresql-15-cron',
      };
}

async function stageFindings(): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const stage of allStages()) {
    try {
      const current = await isCurrent(stage);
      findings.push(
        current
          ? { level: 'good', text: `made: ${stage.name}` }
          : { level: 'missing', text: `not made or not up to date: ${stage.name}`, remedy: 'npm run setup' },
      );
    } catch (error) {
      findings.push({ level: 'missing', text: `${stage.name}: ${messageOf(error)}`, remedy: 'npm run setup' });
    }
  }
  return findings;
}

async function extensionFinding(client: pg.Client, created: string | null): Promise<Finding> {
  if (created !== null) return { level: 'good', text: `extension linuxsql ${created}` };
  if (await extensionAvailable(client))
    return { level: 'missing', text: 'the extension is not created', remedy: 'linuxsql up' };
  const remedy = externalServer() === undefined ? 'npm run setup' : installationAdvice(client.database ?? 'linuxsql');
  return { level: 'missing', text: `the server has no extension linuxsql ${extensionVersion}`, remedy };
}

async function serverFindings(): Promise<Finding[]> {
  if (externalServer() === undefined && embeddedPid() === undefined)
    return [{ level: 'note', text: 'the embedded server does not run', remedy: 'linuxsql up' }];
  try {
    return await withClient(async (client) => {
      const { rows } = await client.query<{ version: string; preload: string; extension: string | null }>(
        `select current_setting('server_version') as version, current_setting('shared_preload_libraries') as preload,
           (select extversion from pg_extension where extname = 'linuxsql') as extension`,
      );
      const { version = '', preload = '', extension = null } = rows[0] ?? {};
      return [
        { level: 'good', text: `PostgreSQL ${version} answers` },
        preload.includes('linuxsql')
          ? { level: 'good', text: 'the supervisor is preloaded' }
          : {
              level: 'note',
              text: 'the supervisor is not preloaded: machines do not start with the server',
              remedy: "shared_preload_libraries = 'linuxsql' in postgresql.conf, then a restart",
            },
        await extensionFinding(client, extension),
      ];
    });
  } catch (error) {
    return [
      {
        level: 'missing',
        text: messageOf(error),
        remedy: externalServer() === undefined ? 'linuxsql down, linuxsql up' : 'check DATABASE_URL',
      },
    ];
  }
}

export async function doctor(): Promise<number> {
  const findings = [
    nodeFinding(),
    packagesFinding(),
    accountFinding(),
    hostFinding(),
    spaceFinding(),
    cronFinding(),
    ...(await stageFindings()),
    ...(await serverFindings()),
  ];
  for (const { level, text, remedy } of findings)
    console.log(`${level.padEnd(8)} ${text}${remedy === undefined ? '' : `\n         → ${remedy}`}`);
  const missing = findings.filter(({ level }) => level === 'missing').length;
  console.log(missing === 0 ? `\nnothing is missing (cache: ${cache})` : `\n${missing} missing`);
  return missing === 0 ? 0 : 1;
}
