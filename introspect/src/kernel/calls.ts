/** Which functions a kernel function calls, read from its machine code. */
import type { Gva } from '../memory/address.js';
import type { Kernel } from './kernel.js';

const longestFunction = 16 * 1024;
const jal = 0x6f;
const auipc = 0x17;
const jalr = 0x67;
const ra = 1;

/** Targets of `jal ra` and of `auipc` + `jalr ra` in the function that starts at address. */
export function callTargets(kernel: Kernel, address: Gva): Set<Gva> {
  const { space, symbols } = kernel;
  const size = symbols.size(symbols.lowerBound(address)) ?? 0;
  const end = address + Math.min(size, longestFunction);
  const targets = new Set<Gva>();
  for (let at = address; at + 2 <= end;) {
    const low = space.u16(at);
    if ((low & 3) !== 3) {
      at += 2;
      continue;
    }
    const insn = space.u32(at);
    if ((insn & 0x7f) === jal && destination(insn) === ra) targets.add(at + jalOffset(insn));
    if ((insn & 0x7f) === auipc && at + 8 <= end) {
      const next = space.u32(at + 4);
      const joined = (next & 0x7f) === jalr && destination(next) === ra && ((next >>> 15) & 31) === destination(insn);
      if (joined) targets.add(at + (insn & ~0xfff) + (next >> 20));
    }
    at += 4;
  }
  return targets;
}

function destination(insn: number): number {
  return (insn >>> 7) & 31;
}

/** The J-immediate (unprivileged specification, "Immediate Encoding Variants"). */
function jalOffset(insn: number): number {
  const high = insn >> 31;
  return (high << 20) | (insn & 0xff000) | ((insn >>> 9) & 0x800) | ((insn >>> 20) & 0x7fe);
}
