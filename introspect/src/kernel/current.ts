/** The task the hart runs, from its registers (arch/riscv/kernel/entry.S). */
import { addressFromBigint, type Gva } from '../memory/address.js';
import type { Budget } from '../memory/budget.js';
import type { HartState } from '../telemetry/hart.js';
import type { Kernel } from './kernel.js';
import { TaskList } from './task-list.js';

const userMode = 0;

export class CurrentTask {
  readonly #tasks: TaskList;

  constructor(kernel: Kernel) {
    this.#tasks = kernel.decoder(TaskList);
  }

  /**
   * In user mode sscratch holds it. In the kernel tp does, but for the few instructions of trap entry and
   * return, where sscratch still or again does. User code controls the other register then, so each is
   * believed only when it is the address of a task.
   */
  address(hart: HartState, budget: Budget): Gva | undefined {
    const tp = addressFromBigint(hart.tp);
    const sscratch = addressFromBigint(hart.sscratch);
    const candidates = hart.priv === userMode ? [sscratch] : [tp, sscratch];
    return candidates.find((address) => this.#tasks.isTask(address, budget));
  }
}
