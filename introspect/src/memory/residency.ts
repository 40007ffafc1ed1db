/**
 * Guest RAM that is still being loaded from a checkpoint (docs/protocol.md, "View area"): which of it is there,
 * and waiting for what is not. The wait is in place, because a walk of kernel structures cannot be put off in
 * its middle; it has a limit, and a piece of 64 KB usually comes within milliseconds.
 */
import { introspectError } from '../errors.js';
import { viewAreaHeader } from '../gen/telemetry.js';
import { native } from '../machine/native.js';
import type { Extent } from './guest-memory.js';

/** How a machine is asked for pages: not waiting for an answer, and letting some time pass. */
export interface Loader {
  ask(page: number, pages: number): void;
  /** Throws machineUnreachable once the machine has gone. */
  pause(): void;
}

const granulePages = 16;
const granuleBytes = granulePages * 4096;
const ready = 2;
/** Without a piece for so long, the read fails. */
const mostMs = 2000;
/** The machine remembers only so many wishes. */
const askAgainMs = 20;

export class Residency {
  readonly #area: ArrayBuffer;
  readonly #loader: Loader;
  readonly #states: number;
  readonly #granules: number;
  readonly #word = new BigUint64Array(1);

  constructor(area: ArrayBuffer, ramBytes: number, loader: Loader) {
    this.#area = area;
    this.#loader = loader;
    this.#granules = Math.floor(ramBytes / granuleBytes);
    this.#states = Number(this.#load(viewAreaHeader.residentOffset));
  }

  #load(offset: number): bigint {
    native().loadWords(this.#area, offset, this.#word);
    return this.#word[0]!;
  }

  /** Whether all of RAM is there. */
  get complete(): boolean {
    return this.#load(viewAreaHeader.loading) === 0n;
  }

  #isReady(granule: number): boolean {
    const within = granule % 8;
    return Number((this.#load(this.#states + granule - within) >> BigInt(within * 8)) & 0xffn) === ready;
  }

  /** Waits until these pages are there; throws notLoaded after a limit. */
  need(firstPage: number, lastPage: number): void {
    const last = Math.min(Math.floor(lastPage / granulePages), this.#granules - 1);
    let asked = -Infinity;
    let progress = performance.now();
    for (let granule = Math.floor(firstPage / granulePages); granule <= last;) {
      if (this.complete) return;
      const now = performance.now();
      if (this.#isReady(granule)) {
        granule++;
        progress = now;
        continue;
      }
      if (now - progress > mostMs) throw notLoaded();
      if (now - asked > askAgainMs) {
        this.#loader.ask(granule * granulePages, (last - granule + 1) * granulePages);
        asked = now;
      }
      this.#loader.pause();
    }
  }

  /** What is not there yet, in bytes from RAM's start. */
  absent(): Extent[] {
    if (this.complete) return [];
    const words = new BigUint64Array(Math.ceil(this.#granules / 8));
    native().loadWords(this.#area, this.#states, words);
    const states = new Uint8Array(words.buffer, 0, this.#granules);
    const out: Extent[] = [];
    for (let granule = 0; granule < states.length; granule++) {
      if (states[granule] === ready) continue;
      const start = granule * granuleBytes;
      const last = out[out.length - 1];
      if (last?.end === start) last.end += granuleBytes;
      else out.push({ start, end: start + granuleBytes });
    }
    return out;
  }
}

function notLoaded(): Error {
  return introspectError(
    'notLoaded',
    'memory of the machine does not come from its checkpoint',
    'run the statement again: loading goes on meanwhile',
    `no part of it was loaded within ${mostMs / 1000} s`,
  );
}
