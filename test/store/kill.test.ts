/** kill -9 of the daemon's store and of PostgreSQL at random instants: flushed = durable, and nothing torn. */
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { atEnd } from '../harness/cleanup.js';
import { startCluster } from '../harness/cluster.js';
import { tempDir } from '../harness/temp.js';
import { crashServer, pause, storeBackends } from './crash.js';
import { createStore, StoreTool } from './driver.js';
import {
  apply,
  damaged,
  line,
  Random,
  randomOperation,
  sectorBytes,
  survivedOperations,
  type Operation,
} from './model.js';

const diskBytes = 48 << 20;
const diskSectors = diskBytes / sectorBytes;
/** Small, so that write-back pressure and eviction take part. */
const cacheBytes = 4 << 20;
const rounds = Number(process.env['LINUXSQL_KILL_ROUNDS'] ?? 6);
const seed = Number(process.env['LINUXSQL_TEST_SEED'] ?? 1);
const timeout = 60_000 + rounds * 10_000;

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(`seed ${seed}, ${rounds} rounds`);
});

/** Feeds operations with a flush now and then; flush IDs count the operations they cover. */
function feed(tool: StoreTool, random: Random, from: number, count: number): Operation[] {
  const operations: Operation[] = [];
  const lines: string[] = [];
  for (let i = 0; i < count; i++) {
    const operation = randomOperation(random, from + i, diskSectors);
    operations.push(operation);
    lines.push(line(operation));
    if (random.below(6) === 0) lines.push(`f ${operations.length}`);
  }
  tool.send(...lines);
  return operations;
}

test(
  `the daemon's store killed ${rounds} times`,
  async () => {
    const { database, client } = await createStore(diskBytes);
    atEnd(() => client.end());
    const file = join(tempDir(), 'stamps');
    const random = new Random(seed);
    let before: BigUint64Array = new BigUint64Array(diskSectors);
    let number = 1;
    let survived = 0;
    for (let round = 0; round < rounds; round++) {
      const victim = await StoreTool.open(database.conninfo, { cacheBytes });
      const operations = feed(victim, random, number, 2000);
      number += operations.length;
      await pause(20 + random.below(700));
      await victim.kill();
      const durable = victim.flushed;
      // A snapshot between rounds: the next one writes over a deeper chain.
      const heir = await StoreTool.open(database.conninfo, { cacheBytes });
      const disk = await heir.stamps(file);
      await heir.quit();
      expect(disk.includes(damaged)).toBe(false);
      survived += survivedOperations({ before, operations, durable, disk });
      before = disk;
      if (round % 2 === 1) await client.query("select linuxsql.push_disk_layer('m')");
    }
    expect(survived).toBeGreaterThan(0);
  },
  timeout,
);

test(
  `PostgreSQL killed ${rounds} times under a running store`,
  async () => {
    const cluster = await startCluster({ durable: true });
    const { database, client } = await createStore(diskBytes, cluster);
    await client.end();
    const random = new Random(seed + 1);
    const backends = (): Promise<number[]> => storeBackends(database);
    const tool = await StoreTool.open(database.conninfo, { cacheBytes });
    const state = new BigUint64Array(diskSectors);
    let number = 1;
    for (let round = 0; round < rounds; round++) {
      const operations = feed(tool, random, number, 400);
      number += operations.length;
      for (const operation of operations) apply(state, operation);
      tool.send(`f ${number}`);
      await pause(random.below(300));
      await crashServer(cluster, random, backends);
      await tool.expect(`flushed ${number}`, 60_000);
    }
    // Flushed means durable: what a new daemon reads after one more crash is exactly what was written.
    await tool.kill();
    await cluster.stop('immediate');
    await cluster.start();
    const heir = await StoreTool.open(database.conninfo, { cacheBytes });
    const disk = await heir.stamps(join(tempDir(), 'stamps'));
    await heir.quit();
    expect(disk.findIndex((stamp, sector) => stamp !== state[sector])).toBe(-1);
  },
  timeout,
);
