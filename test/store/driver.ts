/** store_tool (vm-core/test/store_tool.c): the store of linuxsql-vm without a guest, driven by lines. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { build } from '../../cli/src/base/paths.js';
import { waitUntil } from '../../cli/src/server/sockets.js';
import { migrateUp } from '../../migrations/migrator.js';
import { createDatabase, type OwnCluster, type TestDatabase } from '../harness/cluster.js';
import { spawnOwned, type OwnedProcess } from '../harness/processes.js';

export interface ToolOptions {
  machine?: string;
  cacheBytes?: number;
  orphanSeconds?: number;
}

export class StoreTool {
  private constructor(readonly process: OwnedProcess) {}

  /** Starts it and waits until it holds the machine. The lock of one killed just before may take a moment to go. */
  static async open(conninfo: string, options: ToolOptions = {}): Promise<StoreTool> {
    for (let attempt = 0; ; attempt++) {
      const tool = StoreTool.start(conninfo, options);
      if (await tool.said('ready')) return tool;
      if (attempt === 100 || !tool.process.log().includes('already running')) {
        throw new Error(`store_tool did not start: ${tool.process.log()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  static start(conninfo: string, { machine = 'm', cacheBytes = 0, orphanSeconds = 60 }: ToolOptions = {}): StoreTool {
    const path = join(build, 'vm-core', 'store_tool');
    return new StoreTool(spawnOwned(path, [conninfo, machine, String(cacheBytes), String(orphanSeconds)]));
  }

  send(...lines: string[]): void {
    this.process.child.stdin?.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** Whether this line came before the program ended. */
  async said(line: string, timeoutMs = 30_000): Promise<boolean> {
    const there = (): boolean => this.process.log().split('\n').includes(line);
    await waitUntil(() => there() || this.process.exitCode !== undefined, timeoutMs);
    return there();
  }

  async expect(line: string, timeoutMs = 30_000): Promise<void> {
    if (!(await this.said(line, timeoutMs))) throw new Error(`no "${line}" from store_tool: ${this.process.log()}`);
  }

  /** The largest ID whose flush was reported. */
  get flushed(): number {
    const ids = [...this.process.log().matchAll(/^flushed (\d+)$/gm)].map((match) => Number(match[1]));
    return Math.max(0, ...ids);
  }

  /** One stamp a sector, see store_tool.c. */
  async stamps(file: string): Promise<BigUint64Array> {
    this.send(`stamps ${file}`);
    await this.expect(`dumped ${file}`);
    const bytes = readFileSync(file);
    return new BigUint64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  }

  async quit(): Promise<void> {
    this.send('q');
    const code = await this.process.exited();
    if (code !== 0) throw new Error(`store_tool ended with ${code}: ${this.process.log()}`);
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.process.exited();
  }
}

/** A database with the state tables and a machine 'm' whose disk is blank. */
export async function createStore(
  diskBytes: number,
  cluster?: OwnCluster,
): Promise<{ database: TestDatabase; client: pg.Client }> {
  const database = cluster ? await cluster.createDatabase({ fill: false }) : await createDatabase({ empty: true });
  await migrateUp(database.config);
  const client = await database.connect();
  for (const kind of ['firmware', 'kernel']) {
    await client.query(
      `insert into linuxsql.image (name, kind, lo, presence_lo, size, content_sha256, sha256, progress, sealed)
       values ($1, $1, linuxsql.new_large_object(), linuxsql.new_large_object(), 1, sha256(''), sha256(''), 1, true)`,
      [kind],
    );
  }
  await client.query("select linuxsql.create_machine('m', 'firmware', 'kernel', disk_bytes => $1)", [diskBytes]);
  return { database, client };
}
