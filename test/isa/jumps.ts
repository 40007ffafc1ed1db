/**
 * Jumps and branches over their whole range. Each instruction under test stands at a site of its own, with a landing
 * pad exactly at its target; site and pad say in x27 which of them was reached and return to the caller in x31.
 */
import { asm, immB, immI, immJ, withRegisters } from './encode.js';
import { rowNamed, type Row } from './insn-table.js';
import { CODE_BASE, GP, HEADER, REG_OUT } from './layout.js';
import { Program } from './program.js';
import type { Random } from './random.js';
import { cbeqz, cbnez, cj, cjalr, cjr, cli } from './rvc.js';

const MARK = 27;
const SITE_ADDRESS = 26;
const RETURN = 31;
const SITES = CODE_BASE + 0x20_0000;
const FELL_THROUGH = 1;
const LANDED = 2;

interface Jump {
  readonly text: string;
  readonly word: number;
  readonly size: 2 | 4;
  /** Target relative to the instruction. */
  readonly offset: number;
  /** Register contents before: number → value given the address of the site. */
  readonly registers?: Readonly<Record<number, (site: number) => bigint>>;
  /** The register to record besides x27. */
  readonly link: number;
}

/** Hands out addresses whose site and pad overlap nothing given out before. */
class Ground {
  private readonly used = new Set<number>();
  private next = SITES;

  private claim(start: number, size: number): boolean {
    for (let a = start; a < start + size; a += 2) if (this.used.has(a)) return false;
    return true;
  }

  /** Sites keep an odd distance in parcels, so that they meet every alignment and some straddle a page. */
  place(siteSize: number, offset: number): number {
    for (let site = this.next; ; site += 2) {
      const pad = site + offset;
      const apart = pad >= site + siteSize || pad + 4 <= site;
      if (!apart || !this.claim(site, siteSize) || !this.claim(pad, 4)) continue;
      for (let a = 0; a < siteSize; a += 2) this.used.add(site + a);
      this.used.add(pad).add(pad + 2);
      this.next = site + 2;
      return site;
    }
  }
}

function emitSite(program: Program, jump: Jump, site: number): void {
  const resume = program.pc;
  program.seek(site);
  program.parcel(jump.word & 0xffff);
  if (jump.size === 4) program.parcel(jump.word >>> 16);
  program.parcel(cli(MARK, FELL_THROUGH));
  program.parcel(cjr(RETURN));
  program.seek(site + jump.offset);
  program.parcel(cli(MARK, LANDED));
  program.parcel(cjr(RETURN));
  program.seek(resume);
}

function emitJump(program: Program, jump: Jump, ground: Ground): void {
  const site = ground.place(jump.size + 4, jump.offset);
  const registers = Object.entries(jump.registers ?? {}).map(([r, value]) => [Number(r), value(site)] as const);
  const slots = program.values([BigInt(site), ...registers.map(([, value]) => value)]);
  program.addressOf(SITE_ADDRESS, slots);
  registers.forEach(([r], i) => program.emit(asm.ld(r, SITE_ADDRESS, 8 * (i + 1))));
  program.emit(asm.ld(SITE_ADDRESS, SITE_ADDRESS, 0), asm.addi(MARK, 0, 0), asm.jalr(RETURN, SITE_ADDRESS, 0));
  program.emit(asm.ld(REG_OUT, GP, HEADER.outPointer), asm.sd(MARK, REG_OUT, 0), asm.sd(jump.link, REG_OUT, 8));
  program.emit(asm.addi(REG_OUT, REG_OUT, 16), asm.sd(REG_OUT, GP, HEADER.outPointer));
  program.callRuntime('flush');
  program.record([`x27 (${FELL_THROUGH} fell through, ${LANDED} jumped)`, `x${jump.link}`], 1, () => {
    return `${jump.text} at 0x${site.toString(16)}`;
  });
  emitSite(program, jump, site);
}

/** Each single bit of a signed field, its ends, and some at random; too near ones overlap the site and are left out. */
function offsets(bitCount: number, random: Random, extra: number): number[] {
  const half = 2 ** (bitCount - 1);
  const single = Array.from({ length: bitCount - 2 }, (_, i) => 2 ** (i + 1));
  const drawn = Array.from({ length: extra }, () => 2 * random.between(-half / 2, half / 2 - 1));
  const all = [...single, ...single.map((v) => -v), half - 2, -half, ...drawn];
  return [...new Set(all)].filter((offset) => Math.abs(offset) >= 8);
}

function directJumps(rows: readonly Row[], random: Random): Jump[] {
  const jal = rowNamed(rows, 'jal');
  const jumps: Jump[] = offsets(21, random, 40).map((offset) => {
    const rd = random.pick([0, 1, 5, 17]);
    const word = (withRegisters(jal.match, { rd }) | immJ(offset)) >>> 0;
    return { text: `jal x${rd}, ${offset}`, word, size: 4, offset, link: rd };
  });
  for (const offset of offsets(12, random, 60))
    jumps.push({ text: `c.j ${offset}`, word: cj(offset), size: 2, offset, link: 0 });
  return jumps;
}

function indirectJumps(rows: readonly Row[], random: Random): Jump[] {
  const jalr = rowNamed(rows, 'jalr');
  const jumps: Jump[] = [];
  for (const imm of [0, 1, -1, 2, 2047, -2048, 1023])
    for (const [rd, rs1] of [
      [5, 6],
      [6, 6],
      [0, 6],
      [1, 7],
      [1, 1],
    ] as const)
      for (const odd of [0n, 1n]) {
        const offset = 64 + 2 * random.below(200);
        const target = (site: number): bigint => BigInt(site + offset - imm) + (imm % 2 === 0 ? odd : 0n);
        const word = (withRegisters(jalr.match, { rd, rs1 }) | immI(imm)) >>> 0;
        const text = `jalr x${rd}, ${imm}(x${rs1})${odd ? ' with an odd sum' : ''}`;
        jumps.push({ text, word, size: 4, offset, registers: { [rs1]: target }, link: rd });
      }
  for (const rs1 of [1, 2, 5, 8, 15, 25]) {
    const offset = 64 + 2 * random.below(200);
    const registers = { [rs1]: (site: number): bigint => BigInt(site + offset) };
    jumps.push({ text: `c.jr x${rs1}`, word: cjr(rs1), size: 2, offset, registers, link: 0 });
    jumps.push({ text: `c.jalr x${rs1}`, word: cjalr(rs1), size: 2, offset, registers, link: 1 });
  }
  return jumps;
}

function branches(rows: readonly Row[], random: Random): Jump[] {
  const jumps: Jump[] = [];
  for (const row of rows.filter((r) => r.format === 'B'))
    for (const offset of offsets(13, random, 10)) {
      const registers = { 5: () => 1n, 6: () => random.pick([0n, 1n, 2n, 0xffff_ffff_ffff_ffffn]) };
      const word = (withRegisters(row.match, { rs1: 5, rs2: 6 }) | immB(offset)) >>> 0;
      jumps.push({ text: `${row.name} x5, x6, ${offset}`, word, size: 4, offset, registers, link: 6 });
    }
  for (const [name, encode] of [
    ['c.beqz', cbeqz],
    ['c.bnez', cbnez],
  ] as const)
    for (const offset of offsets(9, random, 20)) {
      const rs1 = 8 + random.below(8);
      const value = random.pick([0n, 0n, 1n, 0x1_0000_0000n]);
      const text = `${name} x${rs1}, ${offset}`;
      jumps.push({ text, word: encode(rs1, offset), size: 2, offset, registers: { [rs1]: () => value }, link: rs1 });
    }
  return jumps;
}

export function jumpProgram(rows: readonly Row[], random: Random): { program: Program; cases: number } {
  const program = new Program();
  const ground = new Ground();
  const jumps = [...directJumps(rows, random), ...indirectJumps(rows, random), ...branches(rows, random)];
  for (const jump of jumps) emitJump(program, jump, ground);
  if (program.pc > SITES - 0x11_0000) throw new Error('the callers reach into the landing pads');
  return { program, cases: jumps.length };
}
