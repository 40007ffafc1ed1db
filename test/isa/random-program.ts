/**
 * Random programs of straight code, forward branches and counted loops in segments of some 20 instructions; after each
 * segment all registers go to the stream, so that a difference is narrowed down to one segment.
 */
import { asm } from './encode.js';
import type { Row } from './insn-table.js';
import { GP, TP } from './layout.js';
import { randomF32, randomF64 } from './operands.js';
import { Program } from './program.js';
import { fromWords, ItemMaker, LOOP_COUNTER, SCRATCH_BYTES, type Item } from './random-items.js';
import type { Random } from './random.js';

const SEGMENT_ITEMS = 20;
const POOL_SIZE = 64;

function interesting(random: Random): bigint {
  switch (random.below(4)) {
    case 0:
      return randomF32(random);
    case 1:
      return randomF64(random);
    case 2:
      return random.u64();
    default:
      return BigInt.asUintN(64, BigInt(random.between(-1000, 1000)));
  }
}

/** Fresh values for some registers, so that results do not all decay to NaN, 0 and -1. */
function refresh(random: Random): Item[] {
  const items: Item[] = [];
  for (let n = 0; n < 5; n++) {
    const slot = 8 * random.below(POOL_SIZE);
    const r = random.pick([1, 2, 5, 8, 9, 10, 11, 12, 13, 14, 15, 20, 28]);
    items.push(fromWords(`ld x${r}, pool + ${slot}`, asm.ld(r, LOOP_COUNTER, slot)));
    const fslot = 8 * random.below(POOL_SIZE);
    const fr = random.below(32);
    items.push(fromWords(`fld f${fr}, pool + ${fslot}`, asm.fld(fr, LOOP_COUNTER, fslot)));
  }
  return items;
}

function body(maker: ItemMaker, random: Random): Item[] {
  const items: Item[] = [];
  while (items.length < SEGMENT_ITEMS) {
    if (!random.chance(10)) {
      items.push(maker.plain());
      continue;
    }
    const skipped = Array.from({ length: random.between(1, 4) }, () => maker.plain());
    items.push(maker.branchOver(skipped), ...skipped);
  }
  return items;
}

function sizeOf(items: readonly Item[]): number {
  return 2 * items.reduce((sum, item) => sum + item.halves.length, 0);
}

/** A third of the segments run two to five times. */
function segment(maker: ItemMaker, random: Random): Item[] {
  const inner = body(maker, random);
  if (!random.chance(33)) return inner;
  const turns = random.between(2, 5);
  const back = -(sizeOf(inner) + 4);
  return [
    fromWords(`li x${LOOP_COUNTER}, ${turns}`, asm.addi(LOOP_COUNTER, 0, turns)),
    ...inner,
    fromWords(`addi x${LOOP_COUNTER}, x${LOOP_COUNTER}, -1`, asm.addi(LOOP_COUNTER, LOOP_COUNTER, -1)),
    fromWords(`bnez x${LOOP_COUNTER}, ${back}`, asm.bne(LOOP_COUNTER, 0, back)),
  ];
}

function place(program: Program, items: readonly Item[]): string[] {
  return items.map((item) => {
    const pc = program.pc.toString(16);
    item.halves.forEach((half) => program.parcel(half));
    return `    ${pc}: ${item.text}`;
  });
}

export function randomProgram(
  rows: readonly Row[],
  random: Random,
  segments: number,
  { reservations = true }: { reservations?: boolean } = {},
): Program {
  const program = new Program();
  const pool = program.values(Array.from({ length: POOL_SIZE }, () => interesting(random)));
  const scratch = program.values(Array.from({ length: SCRATCH_BYTES / 8 }, () => interesting(random)));
  const maker = new ItemMaker(rows, random, scratch, reservations);
  program.addressOf(LOOP_COUNTER, pool);
  for (let r = 1; r < 31; r++) if (r !== GP && r !== TP) program.emit(asm.ld(r, LOOP_COUNTER, 8 * r));
  for (let r = 0; r < 32; r++) program.emit(asm.fld(r, LOOP_COUNTER, 8 * (POOL_SIZE - 1 - r)));
  for (let n = 0; n < segments; n++) {
    program.align();
    program.addressOf(LOOP_COUNTER, pool);
    const listing = place(program, [...refresh(random), ...segment(maker, random)]);
    program.align();
    program.dump(() => `segment ${n}:\n${listing.join('\n')}`);
  }
  return program;
}
