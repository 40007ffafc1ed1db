/**
 * File → image. Sparse (zero granules take no rows), resumable (progress is committed with the bytes), and idempotent
 * (the same content under the same name is left alone, told by a digest that skips holes).
 */
import { Client, type ClientConfig } from 'pg';
import { findImage, prepareSession, type ImageKind, type ImageRow } from './catalog.js';
import {
  ContentDigest,
  dataRuns,
  openImageFile,
  pieceBytes,
  pieces,
  PlainDigest,
  PresenceMap,
  type ImageFile,
  type Piece,
} from './pieces.js';
import type { Extent } from './extents.js';
import { ProgressMeter, type ProgressListener } from './progress.js';

export interface ImportOptions {
  file: string;
  name: string;
  kind: ImageKind;
  /** SHA-256 of the whole file where its builder recorded it: spares hashing gigabytes of holes. `verify` checks it. */
  sha256?: Buffer;
  /** Other content under this name: put the new image in its place. One that machines use lives on under another name. */
  replace?: boolean;
  /** With replace: also when the content on record is the same, which does not repair a damaged image. */
  evenSame?: boolean;
  onProgress?: ProgressListener;
}

export interface ImportResult {
  outcome: 'imported' | 'resumed' | 'unchanged';
  image: ImageRow;
  /** Bytes sent to the server. */
  moved: number;
}

/** Bytes sent between two commits. */
const commitBytes = 16 * pieceBytes;

async function contentDigest(file: ImageFile): Promise<Buffer> {
  const digest = new ContentDigest(file.size);
  for await (const piece of pieces(file)) digest.add(piece);
  return digest.digest();
}

async function beginImage(
  client: Client,
  file: ImageFile,
  content: Buffer,
  { name, kind }: ImportOptions,
): Promise<ImageRow> {
  await client.query(
    `insert into linuxsql.image (name, kind, lo, presence_lo, size, content_sha256)
     values ($1, $2, linuxsql.new_large_object(), linuxsql.new_large_object(), $3, $4)`,
    [name, kind, file.size, content],
  );
  const image = await findImage(client, name);
  if (image === undefined) throw new Error(`image "${name}" vanished while it was made`);
  return image;
}

async function isUsed(client: Client, image: ImageRow): Promise<boolean> {
  const { rows } = await client.query<{ used: boolean }>(
    `select exists (select from linuxsql.layer where image = $1)
         or exists (select from linuxsql.machine where $1 in (firmware_image, kernel_image, dtb_image, initrd_image)) as used`,
    [image.id],
  );
  return rows[0]?.used ?? false;
}

/** Make room for new content under a name that has other content. */
async function stepAside(client: Client, image: ImageRow, options: ImportOptions): Promise<void> {
  if (image.sealed && options.replace !== true) {
    throw new Error(`image "${image.name}" exists with other content: choose another name, or replace it`);
  }
  if (await isUsed(client, image)) {
    const tag = options.evenSame === true ? `-${image.id}` : ''; // the same content may have stepped aside before
    const aside = `${image.name.slice(0, 100)}@${image.contentSha256.toString('hex').slice(0, 12)}${tag}`;
    await client.query('update linuxsql.image set name = $2 where id = $1', [image.id, aside]);
  } else {
    await client.query('select linuxsql.drop_image($1)', [image.name]);
  }
}

async function sendRuns(client: Client, image: ImageRow, piece: Piece, runs: Extent[]): Promise<void> {
  const put = { name: 'put', text: 'select pg_catalog.lo_put($1, $2, $3)' };
  for (const { start, end } of runs) {
    await client.query({ ...put, values: [image.lo, piece.offset + start, piece.bytes?.subarray(start, end)] });
  }
}

async function upload(client: Client, file: ImageFile, image: ImageRow, options: ImportOptions): Promise<number> {
  const meter = new ProgressMeter(file.size, options.onProgress);
  const plain = options.sha256 === undefined ? new PlainDigest() : undefined;
  const presence = new PresenceMap(file.size);
  let moved = 0;
  let uncommitted = 0;
  let sending: Promise<unknown> = Promise.resolve();
  const commit = async (progress: number): Promise<void> => {
    await client.query('update linuxsql.image set progress = $2 where id = $1', [image.id, progress]);
    await client.query('commit');
    uncommitted = 0;
  };
  await client.query('begin');
  for await (const piece of pieces(file)) {
    plain?.add(piece);
    presence.add(piece);
    const runs = piece.bytes !== null && piece.offset >= image.progress ? dataRuns(piece.bytes) : [];
    await sending; // one piece on its way while the next is read and hashed
    const bytes = runs.reduce((sum, run) => sum + run.end - run.start, 0);
    sending = sendRuns(client, image, piece, runs);
    sending.catch(() => undefined); // reported by the await above or below
    uncommitted += bytes;
    moved += bytes;
    meter.step(piece.offset + piece.length, bytes);
    if (uncommitted >= commitBytes) {
      await sending;
      await commit(piece.offset + piece.length);
      await client.query('begin');
    }
  }
  await sending;
  await seal(client, file, image, presence, options.sha256 ?? plain?.digest());
  await commit(file.size);
  meter.finish();
  return moved;
}

async function seal(
  client: Client,
  file: ImageFile,
  image: ImageRow,
  presence: PresenceMap,
  sha256: Buffer | undefined,
): Promise<void> {
  for (let at = 0; at < presence.bytes.length; at += pieceBytes) {
    const bytes = presence.bytes.subarray(at, at + pieceBytes);
    for (const run of dataRuns(bytes)) {
      await client.query('select pg_catalog.lo_put($1, $2, $3)', [
        image.presenceLo,
        at + run.start,
        bytes.subarray(run.start, run.end),
      ]);
    }
  }
  await client.query('update linuxsql.image set sha256 = $2, progress = $3, sealed = true where id = $1', [
    image.id,
    sha256,
    file.size,
  ]);
}

async function importOpened(client: Client, file: ImageFile, options: ImportOptions): Promise<ImportResult> {
  const content = await contentDigest(file);
  await prepareSession(client);
  await client.query('select pg_catalog.pg_advisory_lock($1, pg_catalog.hashtext($2))', [0x4c535149, options.name]);
  let image = await findImage(client, options.name);
  const recorded = image?.kind === options.kind && image.size === file.size && image.contentSha256.equals(content);
  const anew = image?.sealed === true && options.replace === true && options.evenSame === true;
  const same = recorded && !anew;
  if (image?.sealed === true && same) return { outcome: 'unchanged', image, moved: 0 };
  await client.query('begin');
  if (image !== undefined && !same) await stepAside(client, image, options);
  const begun = image !== undefined && same ? image : await beginImage(client, file, content, options);
  await client.query('commit');
  const moved = await upload(client, file, begun, options);
  image = await findImage(client, options.name);
  if (image === undefined) throw new Error(`image "${options.name}" was dropped during its import`);
  return { outcome: begun.progress > 0 ? 'resumed' : 'imported', image, moved };
}

/** Import a file as an image. Interrupted, the same call goes on where the last committed piece ended. */
export async function importImage(connection: ClientConfig, options: ImportOptions): Promise<ImportResult> {
  const file = await openImageFile(options.file);
  const client = new Client({ ...connection, application_name: 'linuxsql image import' });
  client.on('error', () => undefined); // the query under way reports it
  try {
    await client.connect();
    return await importOpened(client, file, options);
  } finally {
    await file.handle.close();
    await client.end();
  }
}
