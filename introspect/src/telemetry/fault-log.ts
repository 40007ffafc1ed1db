/**
 * Drains the page fault ring as it fills: counts hot spots over the machine's life, and remembers which
 * process each faulting context belonged to, so that records of processes long gone keep their pid.
 */
import { pageFaultRecord, rings } from '../gen/telemetry.js';
import { addressOf, type Gva } from '../memory/address.js';
import type { Chunk, RingReader } from './ring-reader.js';

const chunkRecords = 4096;
/** A fault not retried within this many further drains counts as never resolved. */
const patience = 8;
/** Bounds the tables against a guest that faults everywhere. */
const mostPages = 1 << 18;
const mostContexts = 1 << 16;
const mostPending = 1 << 14;
const unresolvedWord = 0xffff_ffff;

export interface HotSpot {
  /** Page address: physical when resolved, else virtual. */
  page: bigint;
  cause: number;
  resolved: boolean;
  hits: number;
}

/** pid of the task at an address as RAM says now, or undefined when it is no task with this page table. */
export type IdentifyContext = (context: Gva, satpPage: number) => number | undefined;

interface Pending {
  seq: number;
  age: number;
}

export class FaultLog {
  readonly #ring: RingReader;
  readonly #hits = new Map<string, HotSpot>();
  readonly #contexts = new Map<Gva, { since: number[]; pids: number[] }>();
  #pending: Pending[] = [];
  #next = 0;
  /** Records overwritten before they were drained. */
  missed = 0;
  /** Whether the tables are full and new pages go uncounted. */
  overflowed = false;

  constructor(ring: RingReader) {
    this.#ring = ring;
  }

  get drained(): number {
    return this.#next;
  }

  /** Takes what the ring has gained. identify may be absent while no kernel is known. */
  drain(identify: IdentifyContext | undefined): void {
    this.#settle();
    const capacity: number = rings.pageFaults.capacity;
    const most = (2 * capacity) / chunkRecords;
    for (let round = 0; round < most; round++) {
      const chunk = this.#ring.read(this.#next, chunkRecords);
      this.missed += chunk.lost;
      if (chunk.count === 0) {
        if (chunk.lost > 0) this.#next += chunk.lost;
        return;
      }
      this.#take(chunk, identify);
      this.#next = chunk.first + chunk.count;
      if (this.#next >= chunk.committed) return;
    }
  }

  #take(chunk: Chunk, identify: IdentifyContext | undefined): void {
    const { words, recordWords } = this.#ring;
    const seen = new Set<Gva>();
    for (let record = 0; record < chunk.count; record++) {
      const at = record * recordWords;
      const seq = chunk.first + record;
      const high = words[at + pageFaultRecord.physicalPage / 4 + 1]!;
      if (high !== unresolvedWord) this.#count(words, at, true);
      else if (this.#pending.length < mostPending) this.#pending.push({ seq, age: 0 });
      else this.#count(words, at, false);
      if (identify) this.#remember(words, at, seq, seen, identify);
    }
  }

  /** Looks again at records whose access had not been retried when they were drained. */
  #settle(): void {
    const still: Pending[] = [];
    for (const pending of this.#pending) {
      const chunk = this.#ring.read(pending.seq, 1);
      if (chunk.count === 0 || chunk.first !== pending.seq) continue;
      const resolved = this.#ring.words[pageFaultRecord.physicalPage / 4 + 1] !== unresolvedWord;
      if (resolved || ++pending.age > patience) this.#count(this.#ring.words, 0, resolved);
      else still.push(pending);
    }
    this.#pending = still;
  }

  #count(words: Uint32Array, at: number, resolved: boolean): void {
    const field = (resolved ? pageFaultRecord.physicalPage : pageFaultRecord.tval) / 4;
    const low = words[at + field]! & ~0xfff;
    const high = words[at + field + 1]!;
    const cause = words[at + pageFaultRecord.cause / 4]! & 0xffff;
    const key = `${high}:${low}:${cause}:${resolved ? 1 : 0}`;
    const known = this.#hits.get(key);
    if (known) {
      known.hits++;
    } else if (this.#hits.size < mostPages) {
      const page = BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low >>> 0));
      this.#hits.set(key, { page, cause, resolved, hits: 1 });
    } else {
      this.overflowed = true;
    }
  }

  #remember(words: Uint32Array, at: number, seq: number, seen: Set<Gva>, identify: IdentifyContext): void {
    const field = pageFaultRecord.context / 4;
    const context = addressOf(words[at + field]!, words[at + field + 1]!);
    if (!(context < 0) || seen.has(context)) return;
    seen.add(context);
    const satp = pageFaultRecord.satp / 4;
    const satpPage = (words[at + satp + 1]! & 0xfff) * 4294967296 + words[at + satp]!;
    const pid = identify(context, satpPage);
    if (pid === undefined) return;
    const history = this.#contexts.get(context);
    if (!history) {
      if (this.#contexts.size >= mostContexts) this.#forgetOld(seq);
      if (this.#contexts.size < mostContexts) this.#contexts.set(context, { since: [seq], pids: [pid] });
    } else if (history.pids[history.pids.length - 1] !== pid) {
      history.since.push(seq);
      history.pids.push(pid);
      // What ended before the oldest record still in the ring answers no question any more.
      while (history.since.length > 1 && history.since[1]! <= seq - rings.pageFaults.capacity) {
        history.since.shift();
        history.pids.shift();
      }
    }
  }

  /** Makes room: contexts not renewed within the ring's reach go. */
  #forgetOld(seq: number): void {
    for (const [context, { since }] of this.#contexts) {
      if (since[since.length - 1]! < seq - rings.pageFaults.capacity) this.#contexts.delete(context);
    }
  }

  /** The process whose context a record carries, if it was ever known. */
  pidOf(context: Gva, seq: number): number | undefined {
    const history = this.#contexts.get(context);
    if (!history) return undefined;
    let last = history.since.length - 1;
    while (last > 0 && history.since[last]! > seq) last--;
    return history.pids[last];
  }

  /** Pages by hits, most first; faults still waiting for their retry count by virtual page. */
  hotSpots(): HotSpot[] {
    this.#settle();
    const merged = new Map<string, HotSpot>();
    for (const pending of this.#pending) {
      const chunk = this.#ring.read(pending.seq, 1);
      if (chunk.count === 0 || chunk.first !== pending.seq) continue;
      addUnresolved(merged, this.#ring.words);
    }
    for (const [key, spot] of this.#hits) {
      const waiting = merged.get(key);
      merged.set(key, waiting ? { ...spot, hits: spot.hits + waiting.hits } : spot);
    }
    return [...merged.values()].sort(
      (a, b) => b.hits - a.hits || (a.page < b.page ? -1 : a.page > b.page ? 1 : a.cause - b.cause),
    );
  }
}

function addUnresolved(spots: Map<string, HotSpot>, words: Uint32Array): void {
  const low = words[pageFaultRecord.tval / 4]! & ~0xfff;
  const high = words[pageFaultRecord.tval / 4 + 1]!;
  const cause = words[pageFaultRecord.cause / 4]! & 0xffff;
  const key = `${high}:${low}:${cause}:0`;
  const known = spots.get(key);
  if (known) known.hits++;
  else
    spots.set(key, {
      page: BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low >>> 0)),
      cause,
      resolved: false,
      hits: 1,
    });
}
