/** The function a blocked task sleeps in, as /proc/PID/wchan finds it (arch/riscv/kernel/stacktrace.c). */
import type { Gva } from '../memory/address.js';
import type { Kernel } from './kernel.js';
import type { Task } from './task.js';

const threadBytes = 16 * 1024;
const mostFrames = 64;

export class WaitChannels {
  readonly #kernel: Kernel;
  readonly #framePointers: boolean;
  /** Some kernels take 4 from return addresses they find on the stack, so as to name the call. */
  readonly #callOffset: number;
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
    this.#callOffset = subtractsFour(kernel) ? 4 : 0;
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
      pc = space.pointer(record + 8) - this.#callOffset;
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
      const pc = space.pointer(at) - this.#callOffset;
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
  // c.addi4spn x8: funct3 000, quadrant 0, rd' 000. addi x8, x2: opcode 0x13.
  return hasInstruction(
    kernel,
    start,
    48,
    (insn) => (insn & 0xe01f) === 0 && insn !== 0,
    (insn) => (insn & 0xfffff) === 0x10413,
  );
}

/** Whether walk_stackframe() holds `addi rd, rs, -4`. */
function subtractsFour(kernel: Kernel): boolean {
  const [walker] = kernel.symbols.named('walk_stackframe');
  if (walker === undefined) return false;
  const length = Math.min(kernel.symbols.size(walker) ?? 0, 1024);
  // c.addi: funct3 000, quadrant 1, immediate 111100. addi: funct3 000, opcode 0x13.
  return hasInstruction(
    kernel,
    kernel.symbols.address(walker),
    length,
    (insn) => (insn & 0xf07f) === 0x1071,
    (insn) => (insn & 0x707f) === 0x13 && insn >>> 20 === 0xffc,
  );
}

type Match = (insn: number) => boolean;

/** Whether one of the instructions in [start, start + length) matches; short is asked for compressed ones. */
function hasInstruction(kernel: Kernel, start: Gva, length: number, short: Match, long: Match): boolean {
  const { space } = kernel;
  for (let at = start; at + 2 <= start + length;) {
    const low = space.u16(at);
    const compressed = (low & 3) !== 3;
    if (compressed ? short(low) : long(space.u32(at))) return true;
    at += compressed ? 2 : 4;
  }
  return false;
}
