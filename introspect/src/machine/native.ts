/** The addon's functions, typed; introspect/native/addon.cc states their contracts. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Native {
  connectUnix(path: string): number;
  closeDescriptor(descriptor: number): void;
  send(descriptor: number, bytes: Uint8Array, timeoutMicroseconds: number): void;
  receive(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    timeoutMicroseconds: number,
    descriptors?: number[],
  ): number;
  peerUser(descriptor: number): number;
  /** Takes an exclusive advisory lock on an open file; false when another process holds it. */
  lockFile(descriptor: number): boolean;
  mapShared(descriptor: number, bytes: number): ArrayBuffer;
  reserve(bytes: number): ArrayBuffer;
  discard(reserved: ArrayBuffer): void;
  readViewPage(
    ram: ArrayBuffer,
    views: ArrayBuffer,
    out: ArrayBuffer,
    page: number,
    place: number,
    epoch: number,
    stamp: number,
  ): 0 | 1 | 2;
  populatedExtents(descriptor: number, bytes: number): number[];
  readSequenced(area: ArrayBuffer, offset: number, out: Uint8Array): boolean;
  loadWords(area: ArrayBuffer, offset: number, out: BigUint64Array): void;
  readRing(
    area: ArrayBuffer,
    descriptor: number,
    recordBytes: number,
    from: number,
    out: Uint8Array,
    result: Float64Array,
  ): void;
}

const addonPath = join('build', 'introspect', 'introspect.node');
let loaded: Native | undefined;

/** Loads the addon on first use from the project's build folder, the nearest one above this file. */
export function native(): Native {
  loaded ??= load();
  return loaded;
}

function load(): Native {
  const require = createRequire(import.meta.url);
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const candidate = join(folder, addonPath);
    if (existsSync(candidate)) return require(candidate) as Native;
    const above = dirname(folder);
    if (above === folder) throw new Error(`${addonPath} is missing: run make -C introspect/native`);
    folder = above;
  }
}
