/** What a disk must hold: random operations, and which states a crash may leave behind. */

export const sectorBytes = 512;
export const damaged = 0xffff_ffff_ffff_ffffn;

/** Small and seeded (mulberry32): a failing run can be repeated. */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) % limit;
  }
}

/** A write stamps its sectors with its number; a discard zeroes them. */
export interface Operation {
  number: number;
  kind: 'write' | 'discard';
  first: number;
  sectors: number;
}

export function line({ number, kind, first, sectors }: Operation): string {
  const range = `${first * sectorBytes} ${sectors * sectorBytes}`;
  return kind === 'write' ? `w ${number} ${range}` : `d ${range}`;
}

/** Mostly small writes at hot places, some large, some unaligned, some discards. */
export function randomOperation(random: Random, number: number, diskSectors: number): Operation {
  const kind = random.below(10) === 0 ? 'discard' : 'write';
  const large = random.below(8) === 0;
  const wanted = large ? 1 + random.below(1024) : [1, 3, 8, 16][random.below(4)]!;
  const first = random.below(2) === 0 ? random.below(diskSectors / 16) : random.below(diskSectors);
  const aligned = random.below(2) === 0 ? first - (first % 8) : first;
  return { number, kind, first: aligned, sectors: Math.min(wanted, diskSectors - aligned) };
}

export function apply(state: BigUint64Array, { number, kind, first, sectors }: Operation): void {
  state.fill(kind === 'write' ? BigInt(number) : 0n, first, first + sectors);
}

/** The first sector where the disk differs, other than where `partial` may or may not have been applied. */
function mismatch(disk: BigUint64Array, state: BigUint64Array, partial: Operation | undefined): number {
  for (let sector = 0; sector < disk.length; sector++) {
    if (disk[sector] === state[sector]) continue;
    const inside = partial && sector >= partial.first && sector < partial.first + partial.sectors;
    if (inside && disk[sector] === (partial.kind === 'write' ? BigInt(partial.number) : 0n)) continue;
    return sector;
  }
  return -1;
}

export interface Crash {
  /** What the disk held before the operations. */
  before: BigUint64Array;
  operations: Operation[];
  /** How many of them were covered by a reported flush. */
  durable: number;
  disk: BigUint64Array;
}

/**
 * The disk must be exactly what the first n operations make, for some n that covers everything flushed; operation n + 1
 * was not acknowledged and may be there in part. Returns n.
 */
export function survivedOperations({ before, operations, durable, disk }: Crash): number {
  const state = before.slice();
  for (const operation of operations.slice(0, durable)) apply(state, operation);
  let last = '';
  for (let n = durable; n <= operations.length; n++) {
    const sector = mismatch(disk, state, operations[n]);
    if (sector < 0) return n;
    last = `after ${n} operations sector ${sector} should hold ${state[sector]}, holds ${disk[sector]}`;
    const next = operations[n];
    if (next) apply(state, next);
  }
  throw new Error(`the disk is no state of the past (${durable} operations were durable): ${last}`);
}
