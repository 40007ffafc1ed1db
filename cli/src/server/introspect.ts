/** The introspect process of the embedded server. The supervisor starts it; here it is stopped and waited for. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashTree } from '../base/hash.js';
import { step } from '../base/log.js';
import { dist, ensureFolder, stamps } from '../base/paths.js';
import { place } from '../base/place.js';
import { daemonsOf, isAlive } from '../base/proc.js';
import { runFolder } from './machines.js';
import { externalServer } from './session.js';
import { socketAnswers, waitUntil } from './sockets.js';

const startMs = 15_000;
const stopMs = 5000;

/** Ends it, found by its command line and only when that names our run folder. True when there was one. */
export async function stopIntrospect(): Promise<boolean> {
  const pids = daemonsOf(place().run)
    .filter(({ kind }) => kind === 'introspect')
    .map(({ pid }) => pid);
  const left = (): number[] => pids.filter(isAlive);
  for (const pid of left()) process.kill(pid, 'SIGTERM');
  if (!(await waitUntil(() => left().length === 0, stopMs))) for (const pid of left()) process.kill(pid, 'SIGKILL');
  return pids.length > 0;
}

/** An introspect that runs older code than what is built is ended; the supervisor starts the new one. */
export async function renewIntrospect(): Promise<void> {
  if (externalServer() !== undefined) return;
  const mark = hashTree([join(dist, '.source-hash'), join(stamps, 'addon'), join(stamps, 'app')]);
  const file = join(ensureFolder(stamps), 'running-introspect');
  if (existsSync(file) && readFileSync(file, 'utf8') === mark) return;
  await stopIntrospect();
  writeFileSync(file, mark);
}

/** The supervisor inside the server starts it; without linuxsql in shared_preload_libraries nobody does. */
export async function awaitIntrospect(): Promise<void> {
  const socket = join(await runFolder(), 'introspect.sock');
  if (await waitUntil(() => socketAnswers(socket), startMs)) return;
  step(
    'up',
    `introspect does not answer on ${socket} yet; the server's log tells why (linuxsql status names its folder)`,
  );
}
