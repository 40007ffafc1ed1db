/**
 * Drains the page fault ring as it fills: counts hot spots over the machine's life, and notes the process of
 * each record while that can be told, so that records of processes long gone keep their pid.
 */
import { pageFaultRecord, rings } from '../gen/telemetry.js';
import { addressOf, type Gva } from '../memory/address.js';
import { claim, ContextPids, notAsked, unknown, type ReadTask, type TaskAtContext } from './context-pids.js';
import type { Chunk, RingReader } from './ring-reader.js';

const chunkRecords = 4096;
/** A fault not retried within this many further drains counts as never resolved. */
const patience = 8;
/** Bounds the tables against a guest that faults everywhere. */
const mostPages = 1 << 18;
const mostPending = 1 << 14;
const unresolvedWord = 0xffff_ffff;

export interface HotSpot {
  /** Page address: physical when resolved, else virtual. */
  page: bigint;
  cause: number;
  resolved: boolean;
  hits: number;
}

interface Pending {
  seq: number;
  age: number;
}

export class FaultLog {
  readonly #ring: RingReader;
  readonly #hits = new Map<string, HotSpot>();
  readonly #pids = new ContextPids();
  #pending: Pending[] = [];
  #next = 0;
  /** Guest time skipped by idling when the ring was last drained, ns. */
  #idleNs = 0;
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

  /**
   * Takes what the ring has gained, up to record upTo. readTask is absent while no kernel is known. idleNs is guest time skipped by
   * the latest snapshot; while the guest runs on from there (still is false), more may have been skipped before a fault.
   */
  drain(readTask: ReadTask | undefined, idleNs: number, still: boolean, upTo = Infinity): void {
    this.#settle();
    this.#takeAll(readTask, still ? idleNs : Infinity, upTo);
    this.#idleNs = idleNs;
  }

  #takeAll(readTask: ReadTask | undefined, mostIdleNs: number, upTo: number): void {
    const capacity: number = rings.pageFaults.capacity;
    const most = (2 * capacity) / chunkRecords;
    for (let round = 0; round < most; round++) {
      if (this.#next >= upTo) return;
      const chunk = this.#ring.read(this.#next, Math.min(chunkRecords, upTo - this.#next));
      this.missed += chunk.lost;
      if (chunk.count === 0) {
        if (chunk.lost > 0) this.#next += chunk.lost;
        return;
      }
      this.#take(chunk);
      this.#name(chunk, readTask, mostIdleNs);
      this.#next = chunk.first + chunk.count;
      if (this.#next >= chunk.committed) return;
    }
  }

  #take(chunk: Chunk): void {
    const { words, recordWords } = this.#ring;
    for (let record = 0; record < chunk.count; record++) {
      const at = record * recordWords;
      const high = words[at + pageFaultRecord.physicalPage / 4 + 1]!;
      if (high !== unresolvedWord) this.#count(words, at, true);
      else if (this.#pending.length < mostPending) this.#pending.push({ seq: chunk.first + record, age: 0 });
      else this.#count(words, at, false);
    }
  }

  /** Finds the process of each record; a task is read once per chunk. */
  #name(chunk: Chunk, readTask: ReadTask | undefined, mostIdleNs: number): void {
    const tasks = new Map<Gva, TaskAtContext | undefined>();
    for (let record = 0; record < chunk.count; record++) {
      const { context, satpPage, instret } = faultOrigin(this.#ring, record * this.#ring.recordWords);
      let pid: number = notAsked;
      if (readTask) {
        if (!tasks.has(context)) tasks.set(context, context < 0 ? readTask(context) : undefined);
        const task = tasks.get(context);
        pid = (task && claim(task, satpPage, { instret, leastIdleNs: this.#idleNs, mostIdleNs })) ?? unknown;
      }
      this.#pids.set(chunk.first + record, pid);
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

  /** The process of a record; notAsked or unknown when it is not known. */
  pidOf(seq: number): number {
    return seq < this.#next ? this.#pids.get(seq) : notAsked;
  }

  /** Pages by hits as of now, most first; faults still waiting for their retry count by virtual page. */
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
      merged.set(key, { ...spot, hits: spot.hits + (waiting?.hits ?? 0) });
    }
    return [...merged.values()].sort(
      (a, b) => b.hits - a.hits || (a.page < b.page ? -1 : a.page > b.page ? 1 : a.cause - b.cause),
    );
  }
}

/** Where a record's fault came from: its task, its root page table, its instant. item: word index of the record. */
export function faultOrigin(ring: RingReader, item: number): { context: Gva; satpPage: number; instret: number } {
  const { words } = ring;
  const word = (offset: number) => words[item + offset / 4]!;
  return {
    context: addressOf(word(pageFaultRecord.context), word(pageFaultRecord.context + 4)),
    satpPage: (word(pageFaultRecord.satp + 4) & 0xfff) * 4294967296 + word(pageFaultRecord.satp),
    instret: word(pageFaultRecord.instret + 4) * 4294967296 + word(pageFaultRecord.instret),
  };
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
