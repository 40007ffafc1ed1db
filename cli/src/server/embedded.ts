/** The embedded server of this checkout: its settings, start and stop. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { step } from '../base/log.js';
import { stamps } from '../base/paths.js';
import { daemonFiles, ensurePlace, place } from '../base/place.js';
import { hashTree } from '../base/hash.js';
import {
  initCluster,
  postmasterPid,
  startPostmaster,
  stopPostmaster,
  writeSettings,
  type Cluster,
  type StopMode,
} from './postmaster.js';
import { durableSettings, preloadSettings, privateSettings, type Settings } from './settings.js';
import { databaseName } from './session.js';
import { treeFolders } from './tree.js';

export function embeddedCluster(): Cluster {
  const { account, tree, data, run, log } = place();
  return { account, bin: treeFolders(tree).bin, data, socketFolder: run, startLog: join(log, 'start.log') };
}

function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** How the extension's supervisor finds and starts the daemons (fdw/src/option.c); it adds introspect's --run-dir. */
export function supervisorSettings(run: string, app: string): Settings {
  const { vm, introspect } = daemonFiles(app);
  return {
    'linuxsql.run_directory': run,
    'linuxsql.database': databaseName,
    'linuxsql.vm_path': vm,
    'linuxsql.introspect_command': [process.execPath, introspect].map(shellWord).join(' '),
  };
}

function settings(): Settings {
  const { run, log, tree, app } = place();
  return {
    ...privateSettings(run),
    ...durableSettings(log),
    ...preloadSettings(tree, databaseName),
    ...supervisorSettings(run, app),
  };
}

/** A preloaded library is read at the server's start: a newer one needs a restart. */
function libraryMark(): string {
  return hashTree([join(treeFolders(place().tree).bin, 'postgres'), join(stamps, 'extension')]);
}

const markFile = (): string => join(stamps, 'running-library');

/** Starts the server, or restarts it when its settings or the extension changed. Returns true when it was (re)started. */
export async function startEmbedded(): Promise<boolean> {
  ensurePlace();
  const cluster = embeddedCluster();
  if (!existsSync(join(cluster.data, 'PG_VERSION'))) step('server', `making a PostgreSQL cluster in ${cluster.data}`);
  await initCluster(cluster, ['--data-checksums']);
  const changed = writeSettings(cluster, settings());
  const mark = libraryMark();
  const running = postmasterPid(cluster) !== undefined;
  const sameLibrary = existsSync(markFile()) && readFileSync(markFile(), 'utf8') === mark;
  if (running && !changed && sameLibrary) return false;
  if (running) {
    step('server', changed ? 'settings changed: restarting' : 'the extension changed: restarting');
    await stopPostmaster(cluster);
  }
  await startPostmaster(cluster);
  mkdirSync(stamps, { recursive: true });
  writeFileSync(markFile(), mark);
  return true;
}

export function embeddedPid(): number | undefined {
  return postmasterPid(embeddedCluster());
}

export function stopEmbedded(mode: StopMode = 'fast'): Promise<boolean> {
  return stopPostmaster(embeddedCluster(), mode);
}
