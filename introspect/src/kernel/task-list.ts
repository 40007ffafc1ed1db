/**
 * All processes and threads of one instant. The list is walked once per instant and kept: joins that look up
 * one pid after the other find it in a map.
 */
import type { Gva } from '../memory/address.js';
import { Budget } from '../memory/budget.js';
import { GuestFault } from '../memory/guest-fault.js';
import { walkList } from './containers/list.js';
import type { Kernel } from './kernel.js';
import { introspectError } from '../errors.js';
import { Task } from './task.js';
import { SignalFields, TaskFields } from './task-fields.js';

const printable = /^[^\p{Cc}]*$/u;

export class TaskList {
  readonly #kernel: Kernel;
  readonly #fields: TaskFields;
  readonly #initTask: Gva;
  #instant = -1;
  #leaders = new Map<number, Gva>();
  #tasks = new Map<Gva, Task>();
  #tasksInstant = -1;
  #cut: string | undefined;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#fields = kernel.decoder(TaskFields);
    this.#initTask = kernel.symbol('init_task');
  }

  /** Leaders by pid in list order, the idle task left out as in /proc. */
  leaders(budget: Budget): ReadonlyMap<number, Gva> {
    if (this.#instant !== this.#kernel.instant) this.#walk(budget);
    if (this.#cut) budget.cut(this.#cut);
    return this.#leaders;
  }

  /**
   * The task of a leader: within one instant always the same object, so what was read of it can be kept. Scans of
   * different instants take turns, so the instant is looked at each time.
   */
  task(address: Gva): Task {
    if (this.#tasksInstant !== this.#kernel.instant) this.#tasks = new Map();
    this.#tasksInstant = this.#kernel.instant;
    let task = this.#tasks.get(address);
    if (!task) this.#tasks.set(address, (task = new Task(this.#kernel, address)));
    return task;
  }

  /** No leaders instead of an error while the kernel has none. */
  leadersOrNone(budget: Budget): ReadonlyMap<number, Gva> {
    return this.#ready() ? this.leaders(budget) : new Map<number, Gva>();
  }

  #walk(budget: Budget): void {
    const { space } = this.#kernel;
    this.#requireReady();
    const leaders = new Map<number, Gva>();
    const own = new Budget(budget.left);
    for (const node of walkList(space, this.#initTask + this.#fields.tasks, own)) {
      budget.take();
      const task = node - this.#fields.tasks;
      const pid = this.#soundPid(task);
      if (pid === undefined || leaders.has(pid)) {
        own.cut('the process list of the guest kernel is broken');
        break;
      }
      leaders.set(pid, task);
    }
    this.#cut = own.cutReason;
    this.#leaders = leaders;
    this.#instant = this.#kernel.instant;
  }

  #requireReady(): void {
    if (this.#ready()) return;
    throw introspectError(
      'kernelNotReady',
      'the kernel has not set up its tables yet',
      'let the machine run further, for example with vm_step_until',
    );
  }

  /** The list head is statically initialised, so only a kernel that runs has more than init_task in it. */
  #ready(): boolean {
    const { space } = this.#kernel;
    const head = this.#initTask + this.#fields.tasks;
    try {
      return space.text(this.#initTask + this.#fields.comm, 16).startsWith('swapper') && space.pointer(head) !== head;
    } catch (error) {
      if (error instanceof GuestFault) return false;
      throw error;
    }
  }

  #soundPid(task: Gva): number | undefined {
    const { space } = this.#kernel;
    try {
      const pid = space.i32(task + this.#fields.pid);
      const sound =
        pid > 0 &&
        pid === space.i32(task + this.#fields.tgid) &&
        printable.test(space.text(task + this.#fields.comm, 16));
      return sound ? pid : undefined;
    } catch (error) {
      if (error instanceof GuestFault) return undefined;
      throw error;
    }
  }

  leader(pid: number, budget: Budget): Task | undefined {
    const address = this.leaders(budget).get(pid);
    return address === undefined ? undefined : new Task(this.#kernel, address);
  }

  /** The threads of a process, its leader included. */
  *threads(leader: Gva, budget: Budget): Generator<Task> {
    const { space } = this.#kernel;
    const signal = space.pointer(leader + this.#fields.signal);
    if (signal === 0) {
      yield new Task(this.#kernel, leader);
      return;
    }
    const head = signal + this.#kernel.decoder(SignalFields).threadHead;
    for (const node of walkList(space, head, budget)) yield new Task(this.#kernel, node - this.#fields.threadNode);
  }

  /** Whether address is a task: a leader, a thread of one, or the idle task. */
  isTask(address: Gva, budget: Budget): boolean {
    if (address === this.#initTask) return true;
    const { space } = this.#kernel;
    if (!(address < 0) || space.translate(address) < 0) return false;
    const leader = this.leaders(budget).get(space.i32(address + this.#fields.tgid));
    if (leader === undefined) return false;
    if (leader === address) return true;
    for (const thread of this.threads(leader, budget)) if (thread.address === address) return true;
    return false;
  }
}
