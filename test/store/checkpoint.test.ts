/** The disk's part of a checkpoint: the instant it began, all of it or nothing, and no flush lost meanwhile. */
import { join } from 'node:path';
import type pg from 'pg';
import { expect, test } from 'vitest';
import { waitUntil } from '../../cli/src/server/sockets.js';
import { atEnd } from '../harness/cleanup.js';
import { startCluster, type OwnCluster, type TestDatabase } from '../harness/cluster.js';
import { tempDir } from '../harness/temp.js';
import { crashServer, pause, startAgain, storeBackends } from './crash.js';
import { Wire } from './cut.js';
import { createStore, StoreTool } from './driver.js';
import { apply, line, Random, randomOperation, sectorBytes, survivedOperations, type Operation } from './model.js';

const diskBytes = 40 << 20;
const diskSectors = diskBytes / sectorBytes;
const cacheBytes = 4 << 20;
const rounds = Number(process.env['LINUXSQL_KILL_ROUNDS'] ?? 6);
const seed = Number(process.env['LINUXSQL_TEST_SEED'] ?? 1);
/** Made-up RAM of 4 MB, slow enough that the disk is written and flushed many times meanwhile. */
const slowly = '4 3000';

/** A store, what its disk must hold, and checkpoints with what they must hold. */
class Bench {
  state: BigUint64Array = new BigUint64Array(diskSectors);
  readonly checkpoints = new Map<string, BigUint64Array>();
  private number = 1;
  private files = 0;
  private readonly folder = tempDir();

  constructor(
    readonly database: TestDatabase,
    readonly client: pg.Client,
    readonly random: Random,
  ) {}

  static async make(random: Random, cluster?: OwnCluster): Promise<Bench> {
    const { database, client } = await createStore(diskBytes, cluster);
    atEnd(() => client.end().catch(() => undefined));
    client.on('error', () => undefined);
    return new Bench(database, client, random);
  }

  open(conninfo = this.database.conninfo, machine = 'm'): Promise<StoreTool> {
    return StoreTool.open(conninfo, { cacheBytes, machine });
  }

  /** Writes with flushes between them; they come to be numbered by operations so far. */
  write(tool: StoreTool, count: number): Operation[] {
    const operations: Operation[] = [];
    for (let i = 0; i < count; i++) {
      const operation = randomOperation(this.random, this.number++, diskSectors);
      operations.push(operation);
      apply(this.state, operation);
      tool.send(line(operation));
      if (this.random.below(5) === 0) tool.send(`f ${operation.number}`);
    }
    return operations;
  }

  begin(tool: StoreTool, name: string): void {
    this.checkpoints.set(name, this.state.slice());
    tool.send(`c ${name} ${slowly}`);
  }

  async stamps(tool: StoreTool): Promise<BigUint64Array> {
    return tool.stamps(join(this.folder, `stamps${++this.files}`));
  }

  /** First sector of a machine's disk that is not as it must be; -1: none. */
  async wrong(machine: string, wanted: BigUint64Array): Promise<number> {
    const tool = await this.open(this.database.conninfo, machine);
    const stamps = await this.stamps(tool);
    await tool.quit();
    return stamps.findIndex((stamp, sector) => stamp !== wanted[sector]);
  }

  async names(): Promise<string[]> {
    const client = await this.database.connect();
    try {
      const { rows } = await client.query<{ name: string }>('select name from linuxsql.checkpoint order by id');
      return rows.map(({ name }) => name);
    } finally {
      await client.end();
    }
  }

  /** A fork of each checkpoint has the disk of its instant. */
  async expectCheckpoints(): Promise<void> {
    const client = await this.database.connect();
    for (const name of await this.names()) {
      const wanted = this.checkpoints.get(name);
      if (wanted === undefined) throw new Error(`checkpoint ${name} was not asked for`);
      await client.query(
        "select linuxsql.fork_machine(c.id, 'fork') from linuxsql.checkpoint c where c.name = $1", //
        [name],
      );
      expect(await this.wrong('fork', wanted), name).toBe(-1);
      await client.query("select linuxsql.drop_machine('fork')");
    }
    await client.end();
  }

  async catalogue(): Promise<unknown> {
    const { rows } = await this.client.query(
      `select (select jsonb_agg(l order by id) from linuxsql.layer l) as layers,
              (select disk_layer from linuxsql.machine where name = 'm') as leaf,
              (select count(*) from pg_largeobject_metadata) as objects`,
    );
    return rows;
  }
}

test('a checkpoint has the disk of the instant it began, whatever is written and flushed until it ends', async () => {
  const bench = await Bench.make(new Random(seed));
  const tool = await bench.open();
  for (let round = 0; round < 9; round++) {
    bench.write(tool, 60);
    bench.begin(tool, `c${round}`);
    bench.write(tool, round === 4 ? 0 : 250);
    tool.send('e');
    bench.write(tool, 20);
  }
  for (let round = 0; round < 9; round++) await tool.expect(`saved c${round}`, 60_000);
  await tool.quit();
  expect(await bench.wrong('m', bench.state)).toBe(-1);
  await bench.expectCheckpoints();
}, 180_000);

test(
  `killed ${rounds} times while it writes checkpoints, it leaves all of one or nothing`,
  async () => {
    const bench = await Bench.make(new Random(seed + 1));
    let left = 0;
    for (let round = 0; round < rounds; round++) {
      const before = bench.state.slice();
      const catalogue = await bench.catalogue();
      const victim = await bench.open();
      const operations = bench.write(victim, 60);
      bench.begin(victim, `k${round}`);
      operations.push(...bench.write(victim, 600));
      const first = operations[0]?.number ?? 0;
      if (round === 0) await victim.expect('saved k0');
      else await pause(round === 1 ? 0 : bench.random.below(900));
      await victim.kill();
      const durable = Math.max(0, victim.flushed - first + 1);
      const made = (await bench.names()).includes(`k${round}`);
      if (victim.process.log().includes(`\nsaved k${round}\n`)) expect(made).toBe(true);
      if (!made) {
        left++;
        await pause(200); // the server ends the transaction of the one that was killed
        expect(await bench.catalogue()).toEqual(catalogue);
      }
      const heir = await bench.open();
      const disk = await bench.stamps(heir);
      await heir.quit();
      survivedOperations({ before, operations, durable, disk });
      bench.state = disk;
    }
    await bench.expectCheckpoints();
    expect(left).toBeGreaterThan(0);
  },
  60_000 + rounds * 10_000,
);

test(
  `PostgreSQL killed ${rounds} times while checkpoints are written: what was said to be saved is, and no flush is lost`,
  async () => {
    const cluster = await startCluster({ durable: true });
    const bench = await Bench.make(new Random(seed + 2), cluster);
    const tool = await bench.open();
    for (let round = 0; round < rounds; round++) {
      bench.write(tool, 40);
      bench.begin(tool, `s${round}`);
      bench.write(tool, 200);
      tool.send('f 1000000');
      if (round === 0) await tool.expect('saved s0');
      await pause(bench.random.below(800));
      await crashServer(cluster, bench.random, () => storeBackends(bench.database));
      tool.send('e', `f ${1_000_001 + round}`);
      await tool.expect(`flushed ${1_000_001 + round}`, 60_000);
    }
    const said = [...tool.process.log().matchAll(/^saved (\w+)$/gm)].map((match) => match[1]);
    await tool.kill();
    expect(await bench.names()).toEqual(said);
    expect(await bench.wrong('m', bench.state)).toBe(-1);
    await bench.expectCheckpoints();
  },
  60_000 + rounds * 10_000,
);

/** Where a checkpoint can be made to wait: statements of its transaction that a trigger sees, in their order. */
const stages: Record<string, string> = {
  'its RAM layer is made': "before insert on linuxsql.layer for each row when (new.kind = 'ram')",
  'the layer for what was written since is made':
    "before insert on linuxsql.layer for each row when (new.kind = 'disk' and not new.sealed)",
  'that layer is sealed': "before update on linuxsql.layer for each row when (old.kind = 'disk' and new.sealed)",
  'the machine gets a new leaf': 'before update of disk_layer on linuxsql.machine for each row',
  'its RAM layer is sealed': "before update on linuxsql.layer for each row when (old.kind = 'ram' and new.sealed)",
  'its row is added': 'before insert on linuxsql.checkpoint for each row',
  'it is committed': 'after insert on linuxsql.checkpoint deferrable initially deferred for each row',
};
const gate = 4242;

test.each(Object.keys(stages))(
  'a crash when %s leaves the disk as if it had not begun',
  async (stage) => {
    const cluster = await startCluster({ durable: true });
    const bench = await Bench.make(new Random(seed + 4), cluster);
    await bench.client.query(`create function wait() returns trigger language plpgsql as
    'begin perform pg_advisory_xact_lock_shared(${gate}); return new; end'`);
    const constraint = stage === 'it is committed' ? 'constraint' : '';
    await bench.client.query(`create ${constraint} trigger wait ${stages[stage]} execute function wait()`);
    for (const victim of ['the server', 'the daemon'] as const) {
      const before = bench.state.slice();
      let client = await bench.database.connect();
      await client.query(`select pg_advisory_lock(${gate})`);
      const tool = await bench.open();
      const operations = bench.write(tool, 60);
      bench.begin(tool, 'never');
      operations.push(...bench.write(tool, 200));
      const waits = async (): Promise<boolean> =>
        (await client.query(`select from pg_locks where locktype = 'advisory' and objid = ${gate} and not granted`))
          .rowCount === 1;
      expect(await waitUntil(waits, 30_000), `${stage}, ${victim}`).toBe(true);
      const first = operations[0]?.number ?? 0;
      if (victim === 'the daemon') {
        await tool.kill();
        await client.end();
      } else {
        client.on('error', () => undefined);
        await cluster.kill9();
        await startAgain(cluster);
        tool.send('e', 'f 2000000');
        await tool.expect('flushed 2000000', 60_000);
        expect(tool.process.log()).toContain('\nnot saved never');
        await tool.kill();
      }
      const all = victim === 'the server' ? operations.length : Math.max(0, tool.flushed - first + 1);
      const heir = await bench.open();
      const disk = await bench.stamps(heir);
      await heir.quit();
      survivedOperations({ before, operations, durable: all, disk });
      bench.state = disk;
      // What waits in COMMIT does not notice that nobody waits for it any more.
      if (stage === 'it is committed' && victim === 'the daemon') {
        expect(await bench.names()).toEqual(['never']);
        await bench.expectCheckpoints();
        continue;
      }
      expect(await bench.names()).toEqual([]);
      client = await bench.database.connect();
      expect((await client.query('select kind, depth, sealed from linuxsql.layer')).rows).toEqual([
        { kind: 'disk', depth: 1, sealed: false },
      ]);
      await client.end();
    }
  },
  120_000,
);

test('when the answer to its COMMIT is lost, what became of it is looked up', async () => {
  const bench = await Bench.make(new Random(seed + 3));
  const wire = await Wire.open(bench.database);
  const tool = await bench.open(wire.conninfo);
  // COMMIT takes a second: the new connection looks while the server is still at it.
  await bench.client.query(
    `create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(1); return null; end'`,
  );
  await bench.client.query(
    'create constraint trigger slow after insert on linuxsql.checkpoint deferrable initially deferred for each row execute function slow()',
  );
  for (const [round, loss] of (['nothing', 'answer', 'commit', 'answer', 'nothing'] as const).entries()) {
    bench.write(tool, 40);
    wire.loss = loss;
    bench.begin(tool, `w${round}`);
    bench.write(tool, 200);
    tool.send('e', `f ${1_000_000 + round}`);
    await tool.expect(`flushed ${1_000_000 + round}`, 60_000);
    expect(tool.process.log()).toContain(`\n${loss === 'commit' ? 'not saved' : 'saved'} w${round}`);
  }
  expect(wire.cuts).toBe(3);
  await tool.quit();
  expect(await bench.names()).toEqual(['w0', 'w1', 'w3', 'w4']);
  expect(await bench.wrong('m', bench.state)).toBe(-1);
  await bench.expectCheckpoints();
}, 120_000);
