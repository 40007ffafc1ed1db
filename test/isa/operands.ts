/** Operand values at the edges of the integer and floating-point formats, and tuples of them. */
import type { Random } from './random.js';

export const EDGE_INTEGERS: readonly bigint[] = [
  0n,
  1n,
  2n,
  3n,
  31n,
  32n,
  63n,
  64n,
  0x7fn,
  0x80n,
  0x7fffn,
  0x8000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  0x0123456789abcdefn,
  0x5555555555555555n,
  0xaaaaaaaaaaaaaaaan,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0xffffffff00000000n,
  0xffffffff80000000n,
  0xffffffff7fffffffn,
  0xfedcba9876543210n,
  0xfffffffffffffffen,
  0xffffffffffffffffn,
];

export const FEW_INTEGERS: readonly bigint[] = [
  0n,
  1n,
  63n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x0123456789abcdefn,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0xffffffff80000000n,
  0xfedcba9876543210n,
  0xffffffffffffffffn,
];

const F32_WORDS: readonly number[] = [
  0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x807fffff, 0x00400000, 0x00800000, 0x80800000,
  0x00800001, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7fc12345, 0x7f800001,
  0xffbfffff, 0x3f800000, 0xbf800000, 0x3f800001, 0x3f7fffff, 0x3f000000, 0x33800000, 0x34000000, 0x4b800000,
  0x4b7fffff, 0xcf000000, 0x4f7fffff, 0x5f000000, 0xdf000001, 0x3fc90fdb, 0x40200000,
];

/** Single operands as register contents: boxed, and two that are not boxed and read as NaN. */
export const EDGE_F32: readonly bigint[] = [
  ...F32_WORDS.map((w) => 0xffffffff00000000n | BigInt(w)),
  0x000000003f800000n,
  0xfffffffe40000000n,
];

export const EDGE_F64: readonly bigint[] = [
  0x0000000000000000n,
  0x8000000000000000n,
  0x0000000000000001n,
  0x8000000000000001n,
  0x000fffffffffffffn,
  0x0008000000000000n,
  0x0010000000000000n,
  0x8010000000000000n,
  0x0010000000000001n,
  0x7fefffffffffffffn,
  0xffefffffffffffffn,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff8000000000000n,
  0xfff8000000000000n,
  0x7ff8123456789abcn,
  0x7ff0000000000001n,
  0xfff7ffffffffffffn,
  0x3ff0000000000000n,
  0xbff0000000000000n,
  0x3ff0000000000001n,
  0x3fefffffffffffffn,
  0x3fe0000000000000n,
  0x3ca0000000000000n,
  0x3cb0000000000000n,
  0x4340000000000000n,
  0x433fffffffffffffn,
  0x36a0000000000000n,
  0x380fffffe0000000n,
  0x47efffffe0000000n,
  0x47efffffefffffffn,
  0x47effffff0000000n,
  0x3ff0000010000000n,
  0x41dfffffffe00000n,
  0xc1e0000000100000n,
  0x43e0000000000000n,
  0x4004000000000000n,
  0x400921fb54442d18n,
];

function power(values: readonly bigint[], count: number): bigint[][] {
  let tuples: bigint[][] = [[]];
  for (let n = 0; n < count; n++) tuples = tuples.flatMap((t) => values.map((v) => [...t, v]));
  return tuples;
}

/** Every pair or triple of the values. */
export const allTuples = (values: readonly bigint[], count: number): bigint[][] => power(values, count);

export function randomIntegers(random: Random, tuples: number, size: number): bigint[][] {
  return Array.from({ length: tuples }, () =>
    Array.from({ length: size }, () => {
      const value = random.u64() >> BigInt(random.below(64));
      return random.chance(30) ? BigInt.asUintN(64, -value) : value;
    }),
  );
}

/** Numbers whose exponents lie close enough together to interact, with some sparse fractions. */
function randomFloat(random: Random, fracBits: number, expBits: number): bigint {
  const expMask = (1 << expBits) - 1;
  const centre = random.pick([expMask >> 1, expMask >> 1, 2, expMask - 3]);
  const exp = Math.min(Math.max(centre + random.between(-fracBits - 2, fracBits + 2), 0), expMask - 1);
  const frac = random.u64() & ((1n << BigInt(fracBits)) - 1n);
  const sparse = random.chance(40) ? (frac >> BigInt(random.below(fracBits))) << BigInt(random.below(fracBits)) : frac;
  const kept = sparse & ((1n << BigInt(fracBits)) - 1n);
  return (BigInt(random.below(2)) << BigInt(fracBits + expBits)) | (BigInt(exp) << BigInt(fracBits)) | kept;
}

export const randomF32 = (random: Random): bigint => 0xffffffff00000000n | randomFloat(random, 23, 8);
export const randomF64 = (random: Random): bigint => randomFloat(random, 52, 11);

export function randomFloats(random: Random, single: boolean, tuples: number, size: number): bigint[][] {
  const one = single ? randomF32 : randomF64;
  return Array.from({ length: tuples }, () => Array.from({ length: size }, () => one(random)));
}
