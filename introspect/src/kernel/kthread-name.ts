/**
 * Names of kernel threads as /proc/PID/status shows them (fs/proc/array.c, proc_task_name): longer than comm,
 * and for workers with what they work on.
 */
import { LayoutError } from '../btf/layout.js';
import type { Gva } from '../memory/address.js';
import { GuestFault } from '../memory/guest-fault.js';
import type { Kernel } from './kernel.js';
import type { Task } from './task.js';

const pfWqWorker = 0x20;
const longestName = 64;
const rescuerPrefix = 'kworker/R-';

export class KthreadNames {
  readonly #kernel: Kernel;
  /** task_struct member that leads to struct kthread. */
  readonly #kthread: number;
  readonly #fullName: number | undefined;
  readonly #data: number;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#kthread = kernel.types.struct('task_struct', 'tasks').offset('worker_private');
    const kthread = kernel.types.struct('kthread', 'data');
    this.#fullName = kthread.optional('full_name');
    this.#data = kthread.offset('data');
  }

  /** The name; comm where there is no longer one. */
  static of(kernel: Kernel, task: Task): string {
    const { comm } = task;
    try {
      return kernel.decoder(KthreadNames).#find(task, comm);
    } catch (error) {
      if (error instanceof GuestFault || error instanceof LayoutError) return comm;
      throw error;
    }
  }

  #find(task: Task, comm: string): string {
    const { space } = this.#kernel;
    const kthread = space.pointer(task.address + this.#kthread);
    if (kthread === 0) return comm;
    if ((task.flags & pfWqWorker) !== 0) return this.#worker(space.pointer(kthread + this.#data), comm);
    const full = this.#fullName === undefined ? 0 : space.pointer(kthread + this.#fullName);
    return full === 0 ? comm : space.text(full, longestName);
  }

  /** wq_worker_comm(): the work being done after "+", the last one done after "-". */
  #worker(worker: Gva, comm: string): string {
    const { space, types } = this.#kernel;
    const layout = types.struct('worker', 'pool', 'desc');
    const rescued = layout.has('rescue_wq') ? space.pointer(worker + layout.offset('rescue_wq')) : 0;
    if (rescued !== 0 && comm.startsWith(rescuerPrefix)) {
      comm = rescuerPrefix + space.text(rescued + types.struct('workqueue_struct', 'name').offset('name'), longestName);
    }
    if (space.pointer(worker + layout.offset('pool')) === 0) return comm;
    const description = space.text(worker + layout.offset('desc'), longestName);
    if (description === '') return comm;
    const busy = space.pointer(worker + layout.offset('current_work')) !== 0;
    return `${comm}${busy ? '+' : '-'}${description}`;
  }
}
