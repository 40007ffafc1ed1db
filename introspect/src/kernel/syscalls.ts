/** System call numbers, read from the kernel's own table: entry n points to the function that serves call n. */
import type { Kernel } from './kernel.js';

const mostCalls = 1024;
const prefixes = /^(?:__riscv_|__se_|__do_)?sys_/;

export class SystemCalls {
  readonly #numbers = new Map<string, number>();

  constructor(kernel: Kernel) {
    const [symbol] = kernel.symbols.named('sys_call_table');
    if (symbol === undefined) return;
    const table = kernel.symbols.address(symbol);
    const count = Math.min(mostCalls, (kernel.symbols.size(symbol) ?? 0) / 8);
    for (let number = 0; number < count; number++) {
      const at = kernel.symbols.covering(kernel.space.pointer(table + number * 8));
      if (at === undefined) continue;
      const name = kernel.symbols.name(at);
      if (prefixes.test(name) && !/ni_syscall$/.test(name)) this.#numbers.set(name.replace(prefixes, ''), number);
    }
  }

  /** The number of a call by its name in unistd.h, or undefined. */
  number(name: string): number | undefined {
    return this.#numbers.get(name) ?? this.#numbers.get(`new${name}`);
  }
}
