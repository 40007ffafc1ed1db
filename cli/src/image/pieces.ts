/** A source of image bytes cut into pieces: what is data, what is zeros, and the two digests of both. */
import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { dataExtents, type Extent } from './extents.js';

/** State pages, as the presence maps of layers count them. */
export const pageBytes = 4096;
/** Zero granules are never stored; a multiple of the page. */
export const granuleBytes = 64 * 1024;
/** One piece: read, hashed and sent at once. */
export const pieceBytes = 1024 * 1024;

const zeros = Buffer.alloc(pieceBytes);

export function isZero(bytes: Buffer): boolean {
  return bytes.equals(zeros.subarray(0, bytes.length));
}

/** `bytes` is null where the whole piece is known to be a hole. */
export interface Piece {
  offset: number;
  length: number;
  bytes: Buffer | null;
}

/** An opened file with its data extents. */
export interface ImageFile {
  path: string;
  size: number;
  handle: FileHandle;
  extents: Extent[];
}

export async function openImageFile(path: string): Promise<ImageFile> {
  const handle = await open(path, 'r');
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw new Error(`${path} is not a regular file`);
    if (status.size === 0) throw new Error(`${path} is empty`);
    return { path, size: status.size, handle, extents: await dataExtents(path, status.size) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readFully(file: ImageFile, bytes: Buffer, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesRead } = await file.handle.read(bytes, done, bytes.length - done, offset + done);
    if (bytesRead === 0) throw new Error(`${file.path} was cut short while it was read`);
    done += bytesRead;
  }
}

/** Every piece from the first byte to the last. A piece's bytes are its own, not reused. */
export async function* pieces(file: ImageFile): AsyncGenerator<Piece> {
  let next = 0;
  for (let offset = 0; offset < file.size; offset += pieceBytes) {
    const length = Math.min(pieceBytes, file.size - offset);
    while (next < file.extents.length && (file.extents[next]?.end ?? 0) <= offset) next++;
    const extent = file.extents[next];
    if (extent === undefined || extent.start >= offset + length) {
      yield { offset, length, bytes: null };
    } else {
      const bytes = Buffer.allocUnsafe(length);
      await readFully(file, bytes, offset);
      yield { offset, length, bytes };
    }
  }
}

/** Runs of non-zero granules of a piece, as offsets inside it. */
export function dataRuns(bytes: Buffer): Extent[] {
  const runs: Extent[] = [];
  for (let start = 0; start < bytes.length; start += granuleBytes) {
    const end = Math.min(start + granuleBytes, bytes.length);
    if (isZero(bytes.subarray(start, end))) continue;
    const last = runs.at(-1);
    if (last?.end === start) last.end = end;
    else runs.push({ start, end });
  }
  return runs;
}

/** SHA-256 over all bytes, holes included. */
export class PlainDigest {
  readonly #hash: Hash = createHash('sha256');
  add(piece: Piece): void {
    this.#hash.update(piece.bytes ?? zeros.subarray(0, piece.length));
  }
  digest(): Buffer {
    return this.#hash.digest();
  }
}

/** SHA-256 over the size and every non-zero granule with its offset: holes and stored zeros count the same. */
export class ContentDigest {
  readonly #hash: Hash = createHash('sha256');
  readonly #number = Buffer.alloc(8);
  constructor(size: number) {
    this.#addNumber(size);
  }
  #addNumber(value: number): void {
    this.#number.writeBigUInt64LE(BigInt(value));
    this.#hash.update(this.#number);
  }
  add(piece: Piece): void {
    if (piece.bytes === null) return;
    for (const run of dataRuns(piece.bytes)) {
      for (let start = run.start; start < run.end; start += granuleBytes) {
        this.#addNumber(piece.offset + start);
        this.#hash.update(piece.bytes.subarray(start, Math.min(start + granuleBytes, run.end)));
      }
    }
  }
  digest(): Buffer {
    return this.#hash.digest();
  }
}

/** Presence map of an image: two bits a page, 1 = the page holds something but zeros. */
export class PresenceMap {
  readonly bytes: Buffer;
  constructor(size: number, stored?: Buffer) {
    this.bytes = Buffer.alloc(Math.ceil(size / pageBytes / 4));
    stored?.copy(this.bytes);
  }
  add(piece: Piece): void {
    if (piece.bytes === null) return;
    for (let start = 0; start < piece.length; start += pageBytes) {
      if (isZero(piece.bytes.subarray(start, start + pageBytes))) continue;
      const page = (piece.offset + start) / pageBytes;
      this.bytes[page >> 2] = (this.bytes[page >> 2] ?? 0) | (1 << ((page & 3) * 2));
    }
  }
  has(page: number): boolean {
    return (((this.bytes[page >> 2] ?? 0) >> ((page & 3) * 2)) & 3) === 1;
  }
}
