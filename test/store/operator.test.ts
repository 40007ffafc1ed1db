/** Everything about state works for a role that is only a member of linuxsql_operator, and for nobody else. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { exportImage, importImage, verifyImage } from '../../cli/src/image/index.js';
import { atEnd } from '../harness/cleanup.js';
import { startCluster } from '../harness/cluster.js';
import { tempDir } from '../harness/temp.js';
import { createStore, StoreTool } from './driver.js';
import { collectGarbage } from '../harness/garbage.js';

test('an operator who is no superuser imports, creates, runs, snapshots, drops', async () => {
  const cluster = await startCluster();
  const { database, client } = await createStore(8 << 20, cluster);
  await client.query('create role op login in role linuxsql_operator; create role guest login in role linuxsql_reader');
  await client.query("delete from linuxsql.machine where name = 'm'");
  const file = join(tempDir(), 'image');
  writeFileSync(file, randomBytes(3_000_000));
  const config = { ...database.config, user: 'op' };
  const conninfo = database.conninfo.replace('user=postgres', 'user=op');

  await importImage(config, { file, name: 'base', kind: 'disk' });
  expect((await verifyImage(config, { name: 'base' })).ok).toBe(true);
  const op = new pg.Client(config);
  await op.connect();
  await op.query("select linuxsql.create_machine('mine', 'firmware', 'kernel', 'base')");
  for (const stamp of [1, 2]) {
    const tool = await StoreTool.open(conninfo, { machine: 'mine' });
    tool.send(`w ${stamp} ${stamp * 8192} 4096`, 'l text', `f ${stamp}`);
    await tool.expect(`flushed ${stamp}`);
    await tool.quit();
    await op.query("select linuxsql.push_disk_layer('mine')");
  }
  await op.query("select linuxsql.drop_machine('mine')");

  const guest = { ...database.config, user: 'guest' };
  const readerFile = join(tempDir(), 'copy');
  expect((await exportImage(guest, { name: 'base', file: readerFile })).ok).toBe(true);
  await expect(importImage(guest, { file, name: 'other', kind: 'disk' })).rejects.toMatchObject({ code: '42501' });
  const refused = StoreTool.start(database.conninfo.replace('user=postgres', 'user=guest'), { machine: 'mine' });
  expect(await refused.process.exited()).toBe(2);
  expect(refused.process.log()).toMatch(/permission denied for function take_machine/);
  await op.query("select linuxsql.drop_image('base')");
  await collectGarbage(op);
  const { rows } = await op.query(
    'select oid from pg_largeobject_metadata where oid not in (select lo from linuxsql.image union all select presence_lo from linuxsql.image union all select lo from linuxsql.layer union all select presence_lo from linuxsql.layer)',
  );
  expect(rows).toEqual([]);
  await op.end();
  atEnd(() => client.end());
});
