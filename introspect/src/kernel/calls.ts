/** Facts read from the machine code of kernel functions: whom they call, where they keep an argument. */
import type { Gva } from '../memory/address.js';
import type { Kernel } from './kernel.js';

const longestFunction = 16 * 1024;
const jal = 0x6f;
const auipc = 0x17;
const jalr = 0x67;
const ra = 1;

interface Instruction {
  at: Gva;
  /** 16 or 32 bits. */
  bits: number;
  compressed: boolean;
}

function* instructions(kernel: Kernel, address: Gva): Generator<Instruction> {
  const { space, symbols } = kernel;
  const size = symbols.size(symbols.lowerBound(address)) ?? 0;
  const end = address + Math.min(size, longestFunction);
  for (let at = address; at + 2 <= end;) {
    const low = space.u16(at);
    const compressed = (low & 3) !== 3;
    yield { at, bits: compressed ? low : space.u32(at), compressed };
    at += compressed ? 2 : 4;
  }
}

/** Targets of `jal ra` and of `auipc` + `jalr ra` in the function that starts at address. */
export function callTargets(kernel: Kernel, address: Gva): Set<Gva> {
  const targets = new Set<Gva>();
  for (const { target } of calls(kernel, address)) targets.add(target);
  return targets;
}

interface Call {
  target: Gva;
  /** Where it returns to. */
  after: Gva;
}

function* calls(kernel: Kernel, address: Gva): Generator<Call> {
  let before: Instruction | undefined;
  for (const insn of instructions(kernel, address)) {
    const { at, bits, compressed } = insn;
    if (!compressed && (bits & 0x7f) === jal && destination(bits) === ra) {
      yield { target: at + jalOffset(bits), after: at + 4 };
    } else if (!compressed && (bits & 0x7f) === jalr && destination(bits) === ra && before) {
      const joined = (before.bits & 0x7f) === auipc && destination(before.bits) === ((bits >>> 15) & 31);
      if (joined) yield { target: before.at + (before.bits & ~0xfff) + (bits >> 20), after: at + 4 };
    }
    before = insn;
  }
}

/** A saved register that holds a0 from the function's start on, and the place right after its first call. */
export function keptArgument(kernel: Kernel, address: Gva): { register: string; after: Gva } | undefined {
  const [first] = calls(kernel, address);
  if (!first) return undefined;
  for (const { at, bits, compressed } of instructions(kernel, address)) {
    if (at >= first.after) return undefined;
    // c.mv rd, a0: funct4 1000, quadrant 2. addi rd, a0, 0 is what mv stands for in 32 bits.
    const moves = compressed ? (bits & 0xf07f) === 0x802a : (bits & 0xfffff07f) === 0x50013;
    const register = destination(bits);
    if (moves && isSaved(register)) return { register: `x${register}`, after: first.after };
  }
  return undefined;
}

/** s0 to s11. */
function isSaved(register: number): boolean {
  return register === 8 || register === 9 || (register >= 18 && register <= 27);
}

function destination(insn: number): number {
  return (insn >>> 7) & 31;
}

/** The J-immediate (unprivileged specification, "Immediate Encoding Variants"). */
function jalOffset(insn: number): number {
  const high = insn >> 31;
  return (high << 20) | (insn & 0xff000) | ((insn >>> 9) & 0x800) | ((insn >>> 20) & 0x7fe);
}
