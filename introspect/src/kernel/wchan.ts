/** The function a blocked task sleeps in, as /proc/PID/wchan finds it (arch/riscv/kernel/stacktrace.c). */
import type { Gva } from '../memory/address.js';
import type { Kernel } from './kernel.js';
import type { Task } from './task.js';

const threadBytes = 16 * 1024;
const mostFrames = 64;

export class WaitChannels {
  readonly #kernel: Kernel;
  readonly #framePointers: boolean;
  readonly #text: { start: Gva; end: Gva };
  readonly #skipped: { start: Gva; end: Gva }[];

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#text = { start: kernel.symbol('_stext'), end: kernel.symbol('_etext') };
    this.#skipped = [
      ['__sched_text_start', '__sched_text_end'],
      ['__lock_text_start', '__lock_text_end'],
    ].flatMap(([from, to]) => {
      const start = kernel.symbols.lookup(from!);
      const end = kernel.symbols.lookup(to!);
      return start !== undefined && end !== undefined ? [{ start, end }] : [];
    });
    this.#framePointers = hasFramePointers(kernel);
  }

  of(task: Task): string | null {
    if (!task.blocked || task.stack === 0) return null;
    const pc = this.#framePointers ? this.#unwind(task) : this.#scan(task);
    return pc === undefined ? null : (this.#kernel.functionAt(pc) ?? null);
  }

  #isText(pc: Gva): boolean {
    return pc >= this.#text.start && pc < this.#text.end;
  }

  #counts(pc: Gva): boolean {
    return !this.#skipped.some(({ start, end }) => pc >= start && pc < end);
  }

  /** CONFIG_FRAME_POINTER: the record below fp holds the caller's fp and the return address. */
  #unwind(task: Task): Gva | undefined {
    const { space } = this.#kernel;
    let { ra: pc, sp, fp } = task.switched;
    for (let frame = 0; frame < mostFrames && this.#isText(pc); frame++) {
      if (this.#counts(pc)) return pc;
      const high = Math.ceil(sp / threadBytes) * threadBytes;
      if (!(fp >= sp + 16 && fp <= high) || (fp & 7) !== 0) return undefined;
      sp = fp;
      const record = fp - 16;
      fp = space.pointer(record);
      pc = space.pointer(record + 8);
    }
    return undefined;
  }

  /** Without frame pointers the kernel takes any text address on the stack for a return address. */
  #scan(task: Task): Gva | undefined {
    const { space } = this.#kernel;
    const { ra, sp } = task.switched;
    if (this.#isText(ra) && this.#counts(ra)) return ra;
    const end = task.stack + threadBytes;
    if (!(sp >= task.stack && sp < end) || (sp & 7) !== 0) return undefined;
    for (let at = sp; at < end - 8; at += 8) {
      const pc = space.pointer(at);
      if (this.#isText(pc) && this.#counts(pc)) return pc;
    }
    return undefined;
  }
}

/** Functions outside kernel/sched, which is built with frame pointers whatever the configuration says. */
const probes = ['vfs_read', 'worker_thread', 'do_exit', 'kthread_stop'];

/** Whether functions open with `addi s0, sp, N`: only kernels with frame pointers keep s0 so. */
function hasFramePointers(kernel: Kernel): boolean {
  const starts = probes.map((name) => kernel.symbols.lookup(name)).filter((start) => start !== undefined);
  return starts.length > 0 && starts.filter((start) => setsFramePointer(kernel, start)).length * 2 > starts.length;
}

function setsFramePointer(kernel: Kernel, start: Gva): boolean {
  const { space } = kernel;
  for (let at = start; at < start + 48;) {
    const low = space.u16(at);
    const compressed = (low & 3) !== 3;
    // c.addi4spn x8: funct3 000, quadrant 0, rd' 000. addi x8, x2: opcode 0x13.
    if (compressed ? (low & 0xe01f) === 0 && low !== 0 : (space.u32(at) & 0xfffff) === 0x10413) return true;
    at += compressed ? 2 : 4;
  }
  return false;
}
