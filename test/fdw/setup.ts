/** A test peer, and foreign servers that reach it: one per machine name, imported into a schema of that name. */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { tempDir } from '../harness/temp.js';
import { atEnd } from '../harness/cleanup.js';
import { Peer } from './peer.js';

export async function startPeer(): Promise<Peer> {
  const path = join(tempDir(), 'introspect.sock');
  const peer = await Peer.start(path);
  chmodSync(path, 0o666);
  atEnd(() => peer.stop());
  return peer;
}

export function schemaOf(machine: string): string {
  return machine.replaceAll('-', '_');
}

/** Creates server and schema for a machine; returns the schema's name. */
export async function defineMachine(client: pg.Client, peer: Peer, machine: string): Promise<string> {
  const schema = schemaOf(machine);
  await client.query(`
    create server "${machine}" foreign data wrapper linuxsql options (machine '${machine}', socket '${peer.path}');
    create schema "${schema}";
    import foreign schema linux from server "${machine}" into "${schema}"`);
  return schema;
}

/** The SQLSTATE of a statement that must fail, and how long it took, ms. */
export async function failure(run: () => Promise<unknown>): Promise<{ code: string; message: string; ms: number }> {
  const started = performance.now();
  try {
    await run();
  } catch (error) {
    const { code, message } = error as pg.DatabaseError;
    return { code: code ?? '', message, ms: performance.now() - started };
  }
  throw new Error('the statement did not fail');
}
