/** Fills the cluster of the Debian image, inside the guest that the image is made by (firmware/debian/bake). */
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { migrateUp } from '../../../migrations/migrator.js';
import { importImage } from '../image/import.js';
import { nestedImage, standardImages } from '../image/standard.js';

const server = { host: '/run/postgresql', user: 'postgres' };
const database = { ...server, database: 'linuxsql' };

async function query(connection: pg.ClientConfig, ...statements: string[]): Promise<void> {
  const client = new pg.Client(connection);
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

const [kernel, firmware, functions] = process.argv.slice(2);
if (kernel === undefined || firmware === undefined || functions === undefined)
  throw new Error('usage: bake KERNEL FIRMWARE FUNCTIONS');
await query({ ...server, database: 'postgres' }, 'create database linuxsql template template0');
await migrateUp(database);
await importImage(database, { name: standardImages.firmware, kind: 'firmware', file: firmware });
await importImage(database, { name: standardImages.kernel, kind: 'kernel', file: kernel });
const { name, device, bytes } = nestedImage;
await query(
  database,
  'create extension linuxsql',
  readFileSync(functions, 'utf8'),
  `select linuxsql.link_image('${name}', '${device}', ${bytes}, ${bytes})`,
  'vacuum (freeze, analyze)',
  'checkpoint',
);
