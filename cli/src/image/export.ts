/** Image → file, and image against its recorded SHA-256. Pages that are zeros are neither fetched nor written. */
import { open, rename, rm } from 'node:fs/promises';
import { Client, type ClientConfig } from 'pg';
import { prepareSession, sealedImage, type ImageRow } from './catalog.js';
import { pageBytes, pieceBytes, PlainDigest, PresenceMap, type Piece } from './pieces.js';
import { ProgressMeter, type ProgressListener } from './progress.js';

export interface TransferOptions {
  name: string;
  onProgress?: ProgressListener;
}

export interface VerifyResult {
  image: ImageRow;
  /** Over the bytes the Large Object holds now. */
  sha256: Buffer;
  /** Whether that is what the catalogue recorded at import. */
  ok: boolean;
}

async function presenceOf(client: Client, image: ImageRow): Promise<PresenceMap> {
  const stored: Buffer[] = [];
  for (let at = 0; ; at += pieceBytes) {
    const bytes = await largeObjectBytes(client, image.presenceLo, at, pieceBytes);
    stored.push(bytes);
    if (bytes.length < pieceBytes) break;
  }
  return new PresenceMap(image.size, Buffer.concat(stored));
}

async function largeObjectBytes(client: Client, lo: number, offset: number, length: number): Promise<Buffer> {
  const { rows } = await client.query<{ bytes: Buffer }>({
    name: 'get',
    text: 'select pg_catalog.lo_get($1, $2, $3) as bytes',
    values: [lo, offset, length],
  });
  return rows[0]?.bytes ?? Buffer.alloc(0);
}

function hasData(presence: PresenceMap, offset: number, length: number): boolean {
  for (let page = offset / pageBytes; page * pageBytes < offset + length; page++) if (presence.has(page)) return true;
  return false;
}

/** The piece with every page that is not present zeroed, as a guest would read it. */
function masked(presence: PresenceMap, stored: Buffer, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += pageBytes) {
    if (presence.has((offset + at) / pageBytes)) stored.copy(bytes, at, at, Math.min(at + pageBytes, length));
  }
  return bytes;
}

async function* storedPieces(client: Client, image: ImageRow): AsyncGenerator<Piece> {
  const presence = await presenceOf(client, image);
  for (let offset = 0; offset < image.size; offset += pieceBytes) {
    const length = Math.min(pieceBytes, image.size - offset);
    if (hasData(presence, offset, length)) {
      const stored = await largeObjectBytes(client, image.lo, offset, length);
      yield { offset, length, bytes: masked(presence, stored, offset, length) };
    } else {
      yield { offset, length, bytes: null };
    }
  }
}

async function withImage<T>(
  connection: ClientConfig,
  { name, onProgress }: TransferOptions,
  take: (piece: Piece, image: ImageRow) => Promise<void>,
  end: (image: ImageRow & { sha256: Buffer }, sha256: Buffer) => Promise<T>,
): Promise<T> {
  const client = new Client({ ...connection, application_name: 'linuxsql image export' });
  client.on('error', () => undefined); // the query under way reports it
  try {
    await client.connect();
    await prepareSession(client);
    await client.query('begin isolation level repeatable read read only');
    const image = await sealedImage(client, name);
    const meter = new ProgressMeter(image.size, onProgress);
    const digest = new PlainDigest();
    for await (const piece of storedPieces(client, image)) {
      digest.add(piece);
      await take(piece, image);
      meter.step(piece.offset + piece.length, piece.bytes?.length ?? 0);
    }
    meter.finish();
    return await end(image, digest.digest());
  } finally {
    await client.end();
  }
}

/** Recompute an image's SHA-256 from its Large Object. */
export async function verifyImage(connection: ClientConfig, options: TransferOptions): Promise<VerifyResult> {
  const nothing = (): Promise<void> => Promise.resolve();
  return withImage(connection, options, nothing, (image, sha256) =>
    Promise.resolve({ image, sha256, ok: sha256.equals(image.sha256) }),
  );
}

/** Write an image to a file (sparse). The file appears under its name only when complete and its SHA-256 is right. */
export async function exportImage(
  connection: ClientConfig,
  options: TransferOptions & { file: string },
): Promise<VerifyResult> {
  const partial = `${options.file}.partial`;
  const handle = await open(partial, 'w');
  const take = async ({ bytes, offset }: Piece): Promise<void> => {
    if (bytes !== null) await handle.write(bytes, 0, bytes.length, offset);
  };
  try {
    return await withImage(connection, options, take, async (image, sha256) => {
      if (!sha256.equals(image.sha256)) {
        throw new Error(
          `image "${image.name}" is damaged: SHA-256 ${sha256.toString('hex')}, recorded ${image.sha256.toString('hex')}`,
        );
      }
      await handle.truncate(image.size);
      await handle.sync();
      await rename(partial, options.file);
      return { image, sha256, ok: true };
    });
  } finally {
    await handle.close();
    await rm(partial, { force: true });
  }
}
