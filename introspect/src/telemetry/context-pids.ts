/**
 * Which process a page fault record belongs to. A record carries the address of the task that ran; what lies
 * there is read when the record is drained, some time after the fault, so the slot may have a new owner by
 * then. A claim therefore needs evidence, and without it the pid stays unknown.
 */
import { rings } from '../gen/telemetry.js';
import type { Gva } from '../memory/address.js';

/** The task at an address as guest memory shows it now. */
export interface TaskAtContext {
  pid: number;
  /** start_boottime: guest time since boot, ns, counted from a little after reset. */
  startNs: number;
  /** Page frame of its root page table, NaN without one. */
  rootPage: number;
}

export type ReadTask = (context: Gva) => TaskAtContext | undefined;

/** When a fault happened: its instret, and the least and most guest time that may have been skipped by then. */
export interface FaultInstant {
  instret: number;
  leastIdleNs: number;
  mostIdleNs: number;
}

/** The kernel's clock starts within this much guest time after reset. */
const clockStartNs = 100e6;

/** The task's pid if the fault was surely or, by its page table, most likely its own. */
export function claim(task: TaskAtContext, satpPage: number, at: FaultInstant): number | undefined {
  if (at.instret + at.mostIdleNs < task.startNs) return undefined;
  if (task.rootPage === satpPage) return task.pid;
  // An older page table of the same task, from before its execve: the slot was its own since it started.
  return at.instret + at.leastIdleNs >= task.startNs + clockStartNs ? task.pid : undefined;
}

/** Drained while no kernel was known: a later look may still find the process. */
export const notAsked = -2;
/** Asked for, and not found. */
export const unknown = -1;

/** pids of the records in the ring, by record number. */
export class ContextPids {
  readonly #pids = new Int32Array(rings.pageFaults.capacity).fill(notAsked);

  set(seq: number, pid: number): void {
    this.#pids[seq % this.#pids.length] = pid;
  }

  /** For records that have been drained and are still in the ring. */
  get(seq: number): number {
    return this.#pids[seq % this.#pids.length]!;
  }
}
