/** Disks for machines inside machines: an image shown behind a disk's own end, an image whose bytes lie in a file. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { importImage } from '../../cli/src/image/index.js';
import { atEnd } from '../harness/cleanup.js';
import type { TestDatabase } from '../harness/cluster.js';
import { tempDir } from '../harness/temp.js';
import { createStore, StoreTool } from './driver.js';
import { line, Random, randomOperation, sectorBytes } from './model.js';

const diskBytes = 4 << 20;
const folder = tempDir();
const raw = join(folder, 'raw');
let dumps = 0;

let database: TestDatabase;
let client: pg.Client;

async function dump(tool: StoreTool): Promise<Buffer> {
  const file = join(folder, `dump${++dumps}`);
  tool.send(`dump ${file}`);
  await tool.expect(`dumped ${file}`);
  return readFileSync(file);
}

async function makeMachine(name: string, image: string): Promise<void> {
  await client.query("select linuxsql.create_machine($1, 'firmware', 'kernel', $2)", [name, image]);
}

beforeAll(async () => {
  ({ database, client } = await createStore(diskBytes));
  atEnd(() => client.end());
  const random = new Random(11);
  const tool = await StoreTool.open(database.conninfo);
  for (let number = 1; number <= 60; number++)
    tool.send(line(randomOperation(random, number, diskBytes / sectorBytes)));
  writeFileSync(raw, await dump(tool));
  await tool.quit();
  await importImage(database.config, { file: raw, name: 'base', kind: 'disk' });
  await client.query("update linuxsql.image set shown = true where name = 'base'");
  await makeMachine('over', 'base');
});

test('a shown image follows the disk, as it was, whatever is written before it', async () => {
  const bytes = readFileSync(raw);
  const tool = await StoreTool.open(database.conninfo, { machine: 'over' });
  expect((await dump(tool)).equals(Buffer.concat([bytes, bytes]))).toBe(true);
  tool.send('w 7 0 65536', `d ${1 << 20} ${1 << 20}`, 'f 1');
  await tool.expect('flushed 1');
  const written = await dump(tool);
  expect(written.subarray(diskBytes).equals(bytes)).toBe(true);
  await tool.quit();
  const again = await StoreTool.open(database.conninfo, { machine: 'over' });
  expect((await dump(again)).equals(written)).toBe(true);
  await again.quit();
});

test.each([`w 8 ${diskBytes} 512`, `w 8 ${diskBytes - 512} 1024`, `d ${diskBytes} 4096`])(
  'what is shown cannot be written: %s',
  async (request) => {
    const tool = await StoreTool.open(database.conninfo, { machine: 'over' });
    tool.send(request, 'f 1');
    expect(await tool.process.exited()).toBe(1);
    expect(tool.process.log()).toContain('Read-only file system');
  },
);

test('an image in a file is read from there, and is shown too; layers lie over it as over any other', async () => {
  const bytes = readFileSync(raw);
  const inside = join(folder, 'inside');
  writeFileSync(inside, Buffer.concat([Buffer.alloc(8192, 0xa5), bytes]));
  await client.query("select linuxsql.link_image('linked', $1, 8192, $2)", [inside, diskBytes]);
  await makeMachine('linked', 'linked');
  for (let depth = 1; depth <= 3; depth++) {
    const tool = await StoreTool.open(database.conninfo, { machine: 'linked' });
    const all = await dump(tool);
    expect(all.length).toBe(2 * diskBytes);
    expect(all.subarray(diskBytes).equals(bytes)).toBe(true);
    expect(all.subarray(1 << 20, diskBytes).equals(bytes.subarray(1 << 20))).toBe(true);
    if (depth === 1) expect(all.subarray(0, diskBytes).equals(bytes)).toBe(true);
    tool.send(`w ${depth} ${depth * 4096} 8192`, 'f 1');
    await tool.expect('flushed 1');
    await tool.quit();
    await client.query("select linuxsql.push_disk_layer('linked')");
  }
  expect(readFileSync(inside).subarray(8192).equals(bytes)).toBe(true);
});

test('a checkpoint over an image in a file has its bytes where they were written over meanwhile', async () => {
  const tool = await StoreTool.open(database.conninfo, { machine: 'linked' });
  const before = await dump(tool);
  tool.send('c saved 4 5000', 'w 9 2097152 131072', 'f 1', 'e');
  await tool.expect('flushed 1');
  await tool.expect('saved saved');
  expect((await dump(tool)).equals(before)).toBe(false);
  await tool.quit();
  await client.query("select linuxsql.fork_machine(id, 'forked') from linuxsql.checkpoint where name = 'saved'");
  const fork = await StoreTool.open(database.conninfo, { machine: 'forked' });
  expect((await dump(fork)).equals(before)).toBe(true);
  await fork.quit();
});

test('a file that is not there is said by its name', async () => {
  await client.query("select linuxsql.link_image('gone', '/nowhere/image', 0, 4096)");
  await makeMachine('gone', 'gone');
  const tool = StoreTool.start(database.conninfo, { machine: 'gone' });
  expect(await tool.process.exited()).toBe(2);
  expect(tool.process.log()).toContain('cannot open its image /nowhere/image: No such file or directory');
});

test('only a superuser names files of the host, and no disk changes its size', async () => {
  await client.query('set role linuxsql_operator');
  const refused = { code: '42501' };
  await expect(client.query("select linuxsql.link_image('shadow', '/etc/shadow', 0, 4096)")).rejects.toMatchObject(
    refused,
  );
  await expect(
    client.query(
      "insert into linuxsql.image_source select id, '/etc/shadow', 0 from linuxsql.image where name = 'base'",
    ),
  ).rejects.toMatchObject(refused);
  await expect(client.query("update linuxsql.image_source set path = '/etc/shadow'")).rejects.toMatchObject(refused);
  await expect(client.query("update linuxsql.image set shown = false where name = 'base'")).rejects.toMatchObject({
    code: '55006',
  });
  await client.query('reset role');
  await expect(client.query("select linuxsql.link_image('odd', '/tmp/odd', 512, 4096)")).rejects.toMatchObject({
    code: '22023',
  });
});
