/** The service's Unix socket: one owner at a time, stale sockets replaced, peers checked by user id. */
import { chmodSync, closeSync, lstatSync, openSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../log.js';
import type { Machines } from '../machine/machines.js';
import { native } from '../machine/native.js';
import { Session } from './session.js';

export interface ListenOptions {
  path: string;
  mode: number;
  /** User ids that may connect besides root and the service's own. */
  allowed: readonly number[];
}

/** Throws when another service answers on the path or holds its lock. */
export async function listen(options: ListenOptions, machines: Machines, log: Log): Promise<() => Promise<void>> {
  const unlock = lock(options.path);
  const sessions = new Set<Session>();
  const server = createServer((socket) => {
    if (!mayConnect(socket, options.allowed)) {
      log('connection refused: another user');
      socket.destroy();
      return;
    }
    const session = new Session(socket, machines, log);
    sessions.add(session);
    socket.on('close', () => sessions.delete(session));
  });
  removeStale(options.path);
  await bind(server, options);
  return async () => {
    for (const session of sessions) session.close();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    unlock();
  };
}

/** An advisory lock beside the socket, held while this process lives; two services never share a path. */
function lock(path: string): () => void {
  const descriptor = openSync(`${path}.lock`, 'a', 0o600);
  if (!native().lockFile(descriptor)) {
    closeSync(descriptor);
    throw new Error(`another service listens on ${path}`);
  }
  return () => closeSync(descriptor);
}

function removeStale(path: string): void {
  try {
    if (!lstatSync(path).isSocket()) throw new Error(`${path} is in the way and is no socket`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  rmSync(path);
}

async function bind(server: Server, { path, mode }: ListenOptions): Promise<void> {
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => resolve());
    });
  } finally {
    process.umask(before);
  }
  chmodSync(path, mode);
}

function mayConnect(socket: Socket, allowed: readonly number[]): boolean {
  const descriptor = (socket as { _handle?: { fd?: number } })._handle?.fd;
  if (descriptor === undefined || descriptor < 0) return false;
  try {
    const user = native().peerUser(descriptor);
    return user === 0 || user === process.getuid?.() || allowed.includes(user);
  } catch {
    return false;
  }
}
