/** The whole product on a cluster of its own: supervisor, introspect, images in Large Objects, one machine. */
import type pg from 'pg';
import { daemonsOf } from '../../cli/src/base/proc.js';
import { ControlClient } from '../../cli/src/control/client.js';
import { importImage } from '../../cli/src/image/index.js';
import { machineSocket } from '../../cli/src/server/machines.js';
import { socketAnswers, waitUntil } from '../../cli/src/server/sockets.js';
import type { Settings } from '../../cli/src/server/settings.js';
import { firmwareFiles } from './artifacts.js';
import { atEnd } from './cleanup.js';
import { launchCluster, supervisedDatabase, type OwnCluster, type TestDatabase } from './cluster.js';

export interface ChainOptions {
  machine?: string;
  memoryBytes?: number;
  settings?: Settings;
  /** Boot into the initramfs and have no disk: quicker. */
  initrdOnly?: boolean;
}

export class Chain {
  constructor(
    readonly cluster: OwnCluster,
    readonly database: TestDatabase,
    readonly machine: string,
  ) {}

  /** Folder of all sockets. */
  get runDirectory(): string {
    return this.cluster.socketDir;
  }

  get introspectSocket(): string {
    return `${this.runDirectory}/introspect.sock`;
  }

  get controlSocket(): string {
    return machineSocket(this.runDirectory, this.machine);
  }

  connect(): Promise<pg.Client> {
    return this.database.connect();
  }

  control(): Promise<ControlClient> {
    return ControlClient.connect(this.controlSocket);
  }

  /** Process ids of the daemons, as /proc shows them now. */
  pids(kind: 'introspect' | 'machine'): number[] {
    return daemonsOf(this.runDirectory)
      .filter((daemon) => daemon.kind === kind)
      .map(({ pid }) => pid);
  }

  stop(): Promise<void> {
    return this.cluster.remove();
  }
}

async function importAll(database: TestDatabase, withDisk: boolean): Promise<void> {
  const files = await firmwareFiles();
  const wanted = [
    { name: 'opensbi', kind: 'firmware', file: files.firmware, sha256: files.firmware_sha256 },
    { name: 'linux-6.1', kind: 'kernel', file: files.kernel, sha256: files.kernel_sha256 },
    { name: 'mini-initramfs', kind: 'initrd', file: files.initramfs, sha256: files.initramfs_sha256 },
    ...(withDisk ? [{ name: 'mini', kind: 'disk', file: files.rootfs, sha256: files.rootfs_sha256 } as const] : []),
  ] as const;
  for (const { sha256, ...image } of wanted) {
    await importImage(database.config, { ...image, sha256: Buffer.from(sha256, 'hex') });
  }
}

/** Starts everything but the machine itself, which exists and is stopped; `vm_start` starts it. Undone when the file ends. */
export async function startChain(options: ChainOptions = {}): Promise<Chain> {
  const cluster = await launchCluster({
    preload: true,
    durable: true,
    ...(options.settings ? { settings: options.settings } : {}),
  });
  const machine = options.machine ?? 'vm1';
  const database = await cluster.createDatabase({ name: supervisedDatabase });
  const chain = new Chain(cluster, database, machine);
  atEnd(() => chain.stop());
  const disk = options.initrdOnly !== true;
  await importAll(database, disk);
  const client = await chain.connect();
  try {
    await client.query(
      `select linuxsql.create_machine($1, 'opensbi', 'linux-6.1', base_image => $2, initrd => $3, memory_bytes => $4, bootargs => $5)`,
      [
        machine,
        disk ? 'mini' : null,
        disk ? null : 'mini-initramfs',
        options.memoryBytes ?? 256 << 20,
        disk ? 'console=ttyS0 root=/dev/vda rw' : 'console=ttyS0',
      ],
    );
  } finally {
    await client.end();
  }
  if (!(await waitUntil(() => socketAnswers(chain.introspectSocket), 20_000))) {
    throw new Error(`introspect does not answer on ${chain.introspectSocket}`);
  }
  return chain;
}
