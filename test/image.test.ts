/** Images in Large Objects: import, export, verify; sparse, resumable, idempotent. */
import { createHash, randomBytes } from 'node:crypto';
import {
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { exportImage, importImage, listImages, verifyImage, type Progress } from '../cli/src/image/index.js';
import { dataExtents } from '../cli/src/image/extents.js';
import { migrateUp } from '../migrations/migrator.js';
import { atEnd } from './harness/cleanup.js';
import { createDatabase, type TestDatabase } from './harness/cluster.js';
import { tempDir } from './harness/temp.js';

const folder = tempDir();
const mib = 1 << 20;
let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  database = await createDatabase({ empty: true });
  await migrateUp(database.config);
  client = await database.connect();
  atEnd(() => client.end());
});

/** A sparse file with these pieces. */
function sparse(name: string, size: number, pieces: [offset: number, bytes: Buffer][]): string {
  const path = join(folder, name);
  writeFileSync(path, '');
  truncateSync(path, size);
  const fd = openSync(path, 'r+');
  for (const [offset, bytes] of pieces) writeSync(fd, bytes, 0, bytes.length, offset);
  closeSync(fd);
  return path;
}

async function rows(name: string): Promise<number> {
  const { rowCount } = await client.query(
    'select from pg_largeobject o join linuxsql.image i on i.lo = o.loid where i.name = $1',
    [name],
  );
  return rowCount ?? 0;
}

test('a file of 3 GB with little in it takes little, and comes back byte for byte', async () => {
  const size = 3 * 1024 * mib;
  const file = sparse('big', size, [
    [0, randomBytes(5000)],
    [2600 * mib + 777, randomBytes(3 * mib)],
    [size - 10, Buffer.from('the end...')],
  ]);
  expect((await dataExtents(file, size)).length).toBeGreaterThanOrEqual(3);
  // The SHA-256 of a builder's record: not computed, so gigabytes of zeros are not hashed.
  const begun = performance.now();
  const result = await importImage(database.config, { file, name: 'big', kind: 'disk', sha256: Buffer.alloc(32) });
  expect(performance.now() - begun).toBeLessThan(10_000);
  expect(result).toMatchObject({ outcome: 'imported', image: { sealed: true, size } });
  expect(await rows('big')).toBeLessThan(((3 * mib) / 2048) * 1.2);
  const verified = await verifyImage(database.config, { name: 'big' });
  expect(verified.ok).toBe(false); // the record was a lie
  await client.query('alter table linuxsql.image disable trigger sealed');
  await client.query("update linuxsql.image set sha256 = $1 where name = 'big'", [verified.sha256]);
  await client.query('alter table linuxsql.image enable trigger sealed');
  await exportImage(database.config, { name: 'big', file: join(folder, 'back') });
  const back = statSync(join(folder, 'back'));
  expect(back.size).toBe(size);
  expect(back.blocks * 512).toBeLessThan(8 * mib);
  const again = await importImage(database.config, { file: join(folder, 'back'), name: 'big', kind: 'disk' });
  expect(again).toMatchObject({ outcome: 'unchanged', moved: 0 });
});

test('any size and content: the digest is the plain SHA-256, and the export is equal', async () => {
  const contents = [1, 511, 4096, 4097, 65536, 65537, mib, mib + 1, 3 * mib - 1].map((size) => randomBytes(size));
  contents.push(Buffer.alloc(100_000), Buffer.concat([Buffer.alloc(mib), randomBytes(10), Buffer.alloc(mib)]));
  for (const [index, bytes] of contents.entries()) {
    const file = join(folder, `c${index}`);
    writeFileSync(file, bytes);
    const name = `content-${index}`;
    const { image } = await importImage(database.config, { file, name, kind: 'kernel' });
    expect(image.sha256?.equals(createHash('sha256').update(bytes).digest())).toBe(true);
    await exportImage(database.config, { name, file: `${file}.out` });
    expect(readFileSync(`${file}.out`).equals(bytes)).toBe(true);
  }
  expect((await listImages(client)).length).toBeGreaterThanOrEqual(contents.length);
});

test('an interrupted import goes on where it stopped', async () => {
  const bytes = randomBytes(96 * mib);
  const file = join(folder, 'interrupted');
  writeFileSync(file, bytes);
  const cut = new Error('interrupted');
  const onProgress = ({ done }: Progress): void => {
    if (done > 40 * mib) throw cut;
  };
  await expect(importImage(database.config, { file, name: 'cut', kind: 'disk', onProgress })).rejects.toThrow(
    'interrupted',
  );
  await expect(verifyImage(database.config, { name: 'cut' })).rejects.toThrow(/not completely imported/);
  const { rows: state } = await client.query<{ progress: string }>(
    "select progress from linuxsql.image where name = 'cut'",
  );
  const progress = Number(state[0]?.progress);
  expect(progress).toBeGreaterThanOrEqual(16 * mib);
  const result = await importImage(database.config, { file, name: 'cut', kind: 'disk' });
  expect(result.outcome).toBe('resumed');
  expect(result.moved).toBe(bytes.length - progress);
  expect((await verifyImage(database.config, { name: 'cut' })).ok).toBe(true);
});

test('a half import of other content is begun anew', async () => {
  const file = join(folder, 'interrupted');
  const onProgress = (): void => {
    throw new Error('interrupted');
  };
  await expect(importImage(database.config, { file, name: 'half', kind: 'disk', onProgress })).rejects.toThrow();
  writeFileSync(file, randomBytes(mib));
  expect((await importImage(database.config, { file, name: 'half', kind: 'disk' })).outcome).toBe('imported');
  expect((await verifyImage(database.config, { name: 'half' })).ok).toBe(true);
});

test('other content under a taken name is refused, or replaces it and leaves machines their image', async () => {
  const one = join(folder, 'one');
  const two = join(folder, 'two');
  writeFileSync(one, randomBytes(10_000));
  writeFileSync(two, randomBytes(10_000));
  await importImage(database.config, { file: one, name: 'kernel', kind: 'kernel' });
  await importImage(database.config, { file: one, name: 'firmware', kind: 'firmware' });
  await expect(importImage(database.config, { file: two, name: 'kernel', kind: 'kernel' })).rejects.toThrow(
    /exists with other content/,
  );
  await client.query("select linuxsql.create_machine('m', 'firmware', 'kernel')");
  await importImage(database.config, { file: two, name: 'kernel', kind: 'kernel', replace: true });
  const { rows: images } = await client.query<{ name: string }>(
    'select i.name from linuxsql.machine m join linuxsql.image i on i.id = m.kernel_image',
  );
  expect(images[0]?.name).toMatch(/^kernel@[0-9a-f]{12}$/);
  await importImage(database.config, { file: one, name: 'kernel', kind: 'kernel', replace: true });
  expect((await listImages(client)).filter(({ name }) => name.startsWith('kernel')).length).toBe(2);
});

test('two imports of the same image at once do it once', async () => {
  const file = join(folder, 'c8');
  const results = await Promise.all(
    [1, 2, 3].map(() => importImage(database.config, { file, name: 'race', kind: 'disk' })),
  );
  expect(results.map(({ outcome }) => outcome).sort()).toEqual(['imported', 'unchanged', 'unchanged']);
});

test('damage in the Large Object is found', async () => {
  await client.query("select lo_put(lo, 70000, 'damage') from linuxsql.image where name = 'race'");
  expect((await verifyImage(database.config, { name: 'race' })).ok).toBe(false);
  await expect(exportImage(database.config, { name: 'race', file: join(folder, 'bad') })).rejects.toThrow(/is damaged/);
  expect(() => statSync(join(folder, 'bad'))).toThrow();
  const file = join(folder, 'c8');
  const again = { file, name: 'race', kind: 'disk', replace: true } as const;
  expect((await importImage(database.config, again)).outcome).toBe('unchanged');
  expect((await importImage(database.config, { ...again, evenSame: true })).outcome).toBe('imported');
  expect((await verifyImage(database.config, { name: 'race' })).ok).toBe(true);
});

test('what is no image is said in a line', async () => {
  await expect(importImage(database.config, { file: folder, name: 'x', kind: 'disk' })).rejects.toThrow(
    /not a regular file/,
  );
  await expect(importImage(database.config, { file: join(folder, 'none'), name: 'x', kind: 'disk' })).rejects.toThrow(
    /ENOENT/,
  );
  await expect(verifyImage(database.config, { name: 'none' })).rejects.toThrow('image "none" does not exist');
});
