/** Chains of layers: every depth reads right, bases are never written, discards hide what lies below. */
import { join } from 'node:path';
import type pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { importImage } from '../../cli/src/image/index.js';
import { atEnd } from '../harness/cleanup.js';
import type { TestDatabase } from '../harness/cluster.js';
import { tempDir } from '../harness/temp.js';
import { createStore, StoreTool } from './driver.js';
import { apply, line, Random, randomOperation, sectorBytes } from './model.js';

const diskBytes = 36 << 20; // more than one presence chunk (32 MB)
const diskSectors = diskBytes / sectorBytes;
const folder = tempDir();
let files = 0;
const stampsFile = (): string => join(folder, `stamps${++files}`);

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  ({ database, client } = await createStore(diskBytes));
  atEnd(() => client.end());
});

async function contentOf(layer: string): Promise<string> {
  const { rows } = await client.query<{ content: string }>(
    `select coalesce(string_agg(md5(o.data) || o.loid || ':' || o.pageno, ',' order by o.loid, o.pageno), '') as content
     from linuxsql.layer l join pg_largeobject o on o.loid in (l.lo, l.presence_lo) where l.id = $1`,
    [layer],
  );
  return rows[0]?.content ?? '';
}

test('64 layers deep, every page comes from the right one, and sealed layers stay as they were', async () => {
  const random = new Random(7);
  const state = new BigUint64Array(diskSectors);
  const sealed = new Map<string, string>();
  let number = 1;
  for (let depth = 1; depth <= 64; depth++) {
    const tool = await StoreTool.open(database.conninfo, { cacheBytes: 4 << 20 });
    for (let i = 0; i < 12; i++) {
      const operation = randomOperation(random, number++, diskSectors);
      apply(state, operation);
      tool.send(line(operation));
    }
    if (depth % 16 === 0) {
      const stamps = await tool.stamps(stampsFile());
      expect(stamps.findIndex((stamp, sector) => stamp !== state[sector])).toBe(-1);
    }
    await tool.quit();
    if (depth === 64) break;
    const { rows } = await client.query<{ below: string }>(
      "select disk_layer as below from linuxsql.machine where name = 'm'",
    );
    await client.query("select linuxsql.push_disk_layer('m')");
    const below = rows[0]?.below ?? '';
    sealed.set(below, await contentOf(below));
  }
  for (const [layer, content] of sealed) expect(await contentOf(layer)).toBe(content);
  await expect(client.query("select linuxsql.push_disk_layer('m')")).rejects.toMatchObject({ code: '23514' });
}, 120_000);

test('a disk over an imported image reads its bytes, its holes, and past its end', async () => {
  const tool = await StoreTool.open(database.conninfo);
  tool.send(`dump ${join(folder, 'raw')}`);
  await tool.expect(`dumped ${join(folder, 'raw')}`);
  const before = await tool.stamps(stampsFile());
  await tool.quit();
  await importImage(database.config, { file: join(folder, 'raw'), name: 'base', kind: 'disk' });
  await client.query("select linuxsql.create_machine('over', 'firmware', 'kernel', 'base', disk_bytes => $1)", [
    diskBytes + 8192,
  ]);
  const over = await StoreTool.open(database.conninfo, { machine: 'over', cacheBytes: 4 << 20 });
  over.send(`w 99999 ${diskBytes} 8192`);
  await over.kill();
  const again = await StoreTool.open(database.conninfo, { machine: 'over' });
  const stamps = await again.stamps(stampsFile());
  expect(stamps.length).toBe(diskSectors + 16);
  expect(stamps.subarray(0, diskSectors)).toEqual(before);
  expect(stamps.subarray(diskSectors).every((stamp) => stamp === 0n)).toBe(true);
  await again.quit();
});

test('a discard of everything takes no rows and hides the layers below', async () => {
  const tool = await StoreTool.open(database.conninfo, { machine: 'over' });
  tool.send(`w 5 ${1 << 20} 4096`, `d 0 ${diskBytes}`, 'f 1');
  await tool.expect('flushed 1');
  await tool.quit();
  const { rows } = await client.query<{ bytes: number }>(
    "select length(lo_get(l.lo)) as bytes from linuxsql.machine m join linuxsql.layer l on l.id = m.disk_layer where m.name = 'over'",
  );
  expect(rows).toEqual([{ bytes: 0 }]);
  const heir = await StoreTool.open(database.conninfo, { machine: 'over' });
  const stamps = await heir.stamps(stampsFile());
  expect(stamps.every((stamp) => stamp === 0n)).toBe(true);
  await heir.quit();
});

test('pages of zeros take no rows, and reading a blank disk asks the server for nothing', async () => {
  await client.query("select linuxsql.create_machine('blank', 'firmware', 'kernel', disk_bytes => 1073741824)");
  const tool = await StoreTool.open(database.conninfo, { machine: 'blank' });
  tool.send(`r 1048576 ${1 << 30}`, `d 0 ${1 << 30}`, 'f 1');
  await tool.expect('flushed 1');
  await tool.quit();
  expect(tool.process.log()).toMatch(/ misses 0 /);
});

test('a damaged presence map is refused, not believed', async () => {
  const { rows } = await client.query<{ presence: number }>(
    "select presence_lo as presence from linuxsql.layer l join linuxsql.machine m on m.disk_layer = l.id where m.name = 'blank'",
  );
  await client.query("select lo_put($1, 0, '\\xff')", [rows[0]?.presence]);
  const tool = StoreTool.start(database.conninfo, { machine: 'blank' });
  expect(await tool.process.exited()).toBe(2);
  expect(tool.process.log()).toMatch(/cannot open the disk of machine blank .*presence map is damaged/);
});
