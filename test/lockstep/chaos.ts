/**
 * Chaos programs: 64 KB of random code (chaos.S says what it stands on) over all rows of vm-core/isa/insn.def, where
 * loads and stores mostly have pointers as bases, jumps mostly stay inside and CSRs are mostly ones that exist.
 */
import { writeFileSync } from 'node:fs';
import { immB, immI, immJ, immS, withRegisters } from '../isa/encode.js';
import { run } from '../isa/harness.js';
import { repositoryRoot, type Row } from '../isa/insn-table.js';
import { Random } from '../isa/random.js';

const CODE_BYTES = 16 * 4096;
const POINTERS = [8, 9, 10, 11, 12, 13, 14, 5];
const CODE_POINTERS = [1, 15, 8];
const PLAIN = [6, 7, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 2, 3, 4, 0];
/** What the handler lives on, and what would stop the timer, is only read. */
const READ_CSRS = [
  0x104, 0x14d, 0x300, 0x302, 0x303, 0x304, 0x305, 0x30a, 0x3a0, 0x3b0, 0x3b1, 0xc00, 0xc01, 0xc02, 0xf11, 0xf14, 0x7a0,
];
const CSRS = [
  0x001, 0x002, 0x003, 0x001, 0x002, 0x003, 0x100, 0x105, 0x106, 0x10a, 0x140, 0x141, 0x142, 0x143, 0x144, 0x180, 0x301,
  0x306, 0x320, 0x340, 0x341, 0x342, 0x343, 0x344, 0xb00, 0xb02, 0xb03,
];

class Maker {
  constructor(
    private readonly rows: readonly Row[],
    private readonly random: Random,
  ) {}

  private written(): number {
    return this.random.chance(92) ? this.random.pick(PLAIN) : this.random.below(32);
  }

  private read(): number {
    return this.random.below(32);
  }

  private offset(): number {
    return this.random.chance(70) ? 8 * this.random.between(-8, 8) : this.random.between(-2048, 2047);
  }

  private memoryWord(row: Row): number {
    const rs1 = this.random.chance(90) ? this.random.pick(POINTERS) : this.read();
    const other = this.read();
    const imm = this.offset();
    switch (row.format) {
      case 'L':
        return withRegisters(row.match, { rd: this.written(), rs1 }) | immI(imm);
      case 'FL':
        return withRegisters(row.match, { rd: other, rs1 }) | immI(imm);
      case 'S':
      case 'FS':
        return withRegisters(row.match, { rs1, rs2: other }) | immS(imm);
      default: /* AMO, LR, CBO: the fields the row leaves open */
        return (withRegisters(row.match, { rd: row.format === 'CBO' ? 0 : this.written(), rs1 }) |
          (this.open(row) & 0x07f00000)) as number;
    }
  }

  private open(row: Row): number {
    return Number(this.random.u64() & 0xffffffffn) & ~row.mask;
  }

  private word(row: Row): number {
    const { random } = this;
    switch (row.format) {
      case 'L':
      case 'FL':
      case 'S':
      case 'FS':
      case 'AMO':
      case 'LR':
      case 'CBO':
        return this.memoryWord(row);
      case 'B':
        return withRegisters(row.match, { rs1: this.read(), rs2: this.read() }) | immB(2 * random.between(-64, 96));
      case 'J':
        return withRegisters(row.match, { rd: random.pick([0, 0, 1, 5, 6]) }) | immJ(2 * random.between(-1500, 1500));
      case 'CSR':
      case 'CSRI':
        return this.csrWord(row);
      default: {
        if (row.name === 'jalr')
          return (
            withRegisters(row.match, { rd: random.pick([0, 1, 5, 6]), rs1: random.pick(CODE_POINTERS) }) |
            immI(2 * random.below(64))
          );
        const filled = (this.open(row) | row.match) >>> 0;
        const keepsRd = (row.mask & 0xf80) !== 0;
        return keepsRd ? filled : (filled & ~0xf80) | (this.written() << 7);
      }
    }
  }

  private csrWord(row: Row): number {
    const rd = this.written();
    const swaps = row.name.startsWith('csrrw');
    if (!swaps && this.random.chance(40)) return withRegisters(row.match, { rd }) | immI(this.random.pick(READ_CSRS));
    return withRegisters(row.match, { rd, rs1: this.read() }) | immI(this.random.pick(CSRS));
  }

  /** Rare ones end or disturb everything; they stay rare. */
  private row(): Row {
    const row = this.random.pick(this.rows);
    const rare = row.format === 'NONE' || row.format === 'SFENCE' || row.format === 'CSR' || row.format === 'CSRI';
    return rare && this.random.chance(80) ? this.row() : row;
  }

  /** The parcels of the next instruction. */
  next(): number[] {
    if (this.random.chance(25)) {
      const parcel = this.random.below(65536);
      return [(parcel & 3) === 3 ? parcel & ~2 : parcel];
    }
    const word = this.random.chance(1) ? Number(this.random.u64() & 0xffffffffn) : this.word(this.row());
    return [word & 0xffff, (word >>> 16) & 0xffff];
  }
}

export function chaosCode(rows: readonly Row[], seed: number): Buffer {
  const maker = new Maker(rows, new Random(seed));
  const code = Buffer.alloc(CODE_BYTES);
  for (let at = 0; at < CODE_BYTES;) {
    for (const parcel of maker.next()) {
      if (at === CODE_BYTES) break;
      code.writeUInt16LE(parcel, at);
      at += 2;
    }
  }
  return code;
}

/** Links the program of a seed and gives its path. */
export async function buildChaos(rows: readonly Row[], seed: number, folder: string): Promise<string> {
  const image = `${folder}/chaos-${seed}.bin`;
  const elf = `${folder}/chaos-${seed}.elf`;
  writeFileSync(image, chaosCode(rows, seed));
  const source = `${repositoryRoot}test/lockstep/bare`;
  const result = await run([
    'riscv64-linux-gnu-gcc',
    ...['-nostdlib', '-static', '-march=rv64gc_zicsr_zifencei', '-mabi=lp64d', '-Wl,--build-id=none'],
    ...['-Wl,--no-warn-rwx-segments', `-DCODE="${image}"`, `-DSEED=${0x9e3779b9 + seed * 2654435}`],
    ...['-T', `${source}/chaos.ld`, `${source}/chaos.S`, '-o', elf],
  ]);
  if (result.status !== 'exit 0') throw new Error(`linking ${elf}: ${result.stderr}`);
  return elf;
}
