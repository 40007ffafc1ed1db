/** A wire to PostgreSQL that can be cut where the answer to a checkpoint's COMMIT would come back. */
import { createServer, connect, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { atEnd } from '../harness/cleanup.js';
import type { TestDatabase } from '../harness/cluster.js';
import { tempDir } from '../harness/temp.js';

/** Of COMMIT, or of its answer, is lost and the connection broken; or nothing. */
export type Loss = 'nothing' | 'commit' | 'answer';

export class Wire {
  loss: Loss = 'nothing';
  /** How often it was cut. */
  cuts = 0;

  private constructor(
    private readonly folder: string,
    private readonly database: TestDatabase,
    private readonly server: Server,
  ) {}

  static async open(database: TestDatabase): Promise<Wire> {
    const folder = tempDir();
    const server = createServer((client) => wire.carry(client));
    const wire = new Wire(folder, database, server);
    await new Promise<void>((resolve) => server.listen(join(folder, '.s.PGSQL.5432'), resolve));
    atEnd(() => void server.close());
    return wire;
  }

  get conninfo(): string {
    return `host=${this.folder} port=5432 user=postgres dbname=${this.database.name}`;
  }

  private carry(client: Socket): void {
    const server = connect(join(this.database.socketDir, '.s.PGSQL.5432'));
    let checkpoints = false;
    const close = (): void => void (client.destroy(), server.destroy());
    for (const socket of [client, server]) socket.on('error', close).on('close', close);
    server.on('data', (bytes) => void client.write(bytes));
    client.on('data', (bytes) => {
      if (bytes.includes('linuxsql-vm m state')) checkpoints = true;
      // Sent as a statement of its own; the guest's flushes use a prepared one.
      const commits = checkpoints && bytes.includes('\0commit\0');
      const loss = commits ? this.loss : 'nothing';
      if (loss === 'commit') this.cuts++;
      if (loss === 'commit') return close();
      server.write(bytes);
      if (loss !== 'answer') return;
      this.cuts++;
      // The server is to work on it, and to find nobody there when it answers.
      server.removeAllListeners('data').on('data', () => server.destroy());
      client.removeAllListeners('close').destroy();
    });
  }
}
