/**
 * Pages of guest RAM as a consistent view sees them (docs/protocol.md, "View area"): copies in a private
 * shadow of RAM. A copy serves later views too for as long as its page has not been written since.
 */
import { introspectError } from '../errors.js';
import { viewAreaHeader, viewMagic, viewSlots } from '../gen/telemetry.js';
import { native } from '../machine/native.js';
import type { Residency } from './residency.js';

/** Which view to read: its place in the view area and its epoch. */
export interface ViewKey {
  place: number;
  epoch: number;
}

/** Pages kept before the shadow is emptied, when a view is next selected. */
const mostPages = 65536;
const pageBytes = 4096;

export class ViewPages {
  readonly shadow: ArrayBuffer;
  /** For each page the epoch its copy was made for; 0: no copy. */
  readonly stamps: Float64Array;
  readonly #ram: ArrayBuffer;
  readonly #area: ArrayBuffer;
  readonly #word = new BigUint64Array(1);
  readonly #residency: Residency | undefined;
  #kept = 0;

  /** residency: has pages loaded that are not there; without it all of them are. */
  constructor(ram: ArrayBuffer, area: ArrayBuffer, residency?: Residency) {
    const pages = Math.floor(ram.byteLength / pageBytes);
    const field = (offset: number) => {
      native().loadWords(area, offset, this.#word);
      return this.#word[0]!;
    };
    const sound =
      area.byteLength >= viewAreaHeader.size &&
      field(viewAreaHeader.magic) === viewMagic &&
      field(viewAreaHeader.ramPages) === BigInt(pages);
    if (!sound) throw introspectError('machineUnreachable', "the machine's view area is not one");
    this.#residency = residency;
    this.#ram = ram;
    this.#area = area;
    this.shadow = native().reserve(ram.byteLength);
    this.stamps = new Float64Array(pages);
  }

  isOpen(key: ViewKey): boolean {
    if (!(key.place < viewSlots)) return false;
    native().loadWords(this.#area, viewAreaHeader.open + key.place * 8, this.#word);
    return this.#word[0] === BigInt(key.epoch);
  }

  /** Brings a page into the shadow; throws viewGone when the view was lost, notLoaded when the page does not come. */
  fetch(page: number, key: ViewKey): void {
    const stamp = this.stamps[page]!;
    for (;;) {
      const read = native().readViewPage(this.#ram, this.#area, this.shadow, page, key.place, key.epoch, stamp);
      if (read === 1) break;
      if (read === 0 || !this.#residency) throw viewLost();
      this.#residency.need(page, page);
    }
    if (stamp === 0) this.#kept++;
    this.stamps[page] = key.epoch;
  }

  /** Bounds the shadow's memory; nothing handed out before may be used after. */
  trim(): void {
    if (this.#kept <= mostPages) return;
    native().discard(this.shadow);
    this.stamps.fill(0);
    this.#kept = 0;
  }
}

function viewLost(): Error {
  return introspectError(
    'viewGone',
    'the view of the machine was lost: the guest changed more memory than is kept, or the view grew too old',
    'run the statement again, or raise --view-pool or --view-timeout of linuxsql-vm',
  );
}
