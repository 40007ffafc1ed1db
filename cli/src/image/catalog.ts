/** Images as the catalogue knows them. */
import type { Client } from 'pg';

export const imageKinds = ['firmware', 'kernel', 'dtb', 'initrd', 'disk'] as const;
export type ImageKind = (typeof imageKinds)[number];

export interface ImageRow {
  id: string;
  name: string;
  kind: ImageKind;
  lo: number;
  presenceLo: number;
  size: number;
  sha256: Buffer | null;
  contentSha256: Buffer;
  progress: number;
  sealed: boolean;
}

interface RawRow extends Omit<ImageRow, 'size' | 'progress'> {
  size: string;
  progress: string;
}

const columns = `id, name, kind, lo, presence_lo as "presenceLo", size, sha256, content_sha256 as "contentSha256", progress, sealed`;

function cooked(row: RawRow): ImageRow {
  return { ...row, size: Number(row.size), progress: Number(row.progress) };
}

export async function findImage(client: Client, name: string): Promise<ImageRow | undefined> {
  const { rows } = await client.query<RawRow>(`select ${columns} from linuxsql.image where name = $1`, [name]);
  return rows[0] && cooked(rows[0]);
}

export async function listImages(client: Client): Promise<ImageRow[]> {
  const { rows } = await client.query<RawRow>(`select ${columns} from linuxsql.image order by name`);
  return rows.map(cooked);
}

/** The complete image of this name; an error that says what is wrong otherwise. */
export async function sealedImage(client: Client, name: string): Promise<ImageRow & { sha256: Buffer }> {
  const image = await findImage(client, name);
  if (image === undefined) throw new Error(`image "${name}" does not exist`);
  const { sha256 } = image;
  if (!image.sealed || sha256 === null) {
    throw new Error(
      `image "${name}" is not completely imported (${image.progress} of ${image.size} bytes): run its import again`,
    );
  }
  return { ...image, sha256 };
}

/** Settings every session that moves image bytes wants: quick compression, no impatience. */
export async function prepareSession(client: Client): Promise<void> {
  await client.query(
    `select pg_catalog.set_config('statement_timeout', '0', false), pg_catalog.set_config('search_path', 'pg_catalog', false)`,
  );
  await client.query(
    `select pg_catalog.set_config('default_toast_compression', 'lz4', false)
     from pg_catalog.pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals)`,
  );
}
