/** SQL values as the service holds them, and their order. */

/** int columns are numbers while they are safe integers, bigints else; both compare exactly with each other. */
export type Value = number | bigint | string | boolean | null;

/** Negative, zero or positive as PostgreSQL orders a and b; text bytewise (C collation). Neither is null. */
export function compareValues(a: Exclude<Value, null>, b: Exclude<Value, null>): number {
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  const left = typeof a === 'boolean' ? Number(a) : a;
  const right = typeof b === 'boolean' ? Number(b) : b;
  if (left < right) return -1;
  if (left > right) return 1;
  // NaN equals itself and is above every other number.
  const leftNan = left !== left;
  const rightNan = right !== right;
  return leftNan === rightNan ? 0 : leftNan ? 1 : -1;
}

/**
 * UTF-8 byte order of two strings. It equals UTF-16 code unit order but for surrogates, which stand for
 * characters above all others.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return weight(left) - weight(right);
  }
  return a.length - b.length;
}

/** Lifts surrogates above U+E000 to U+FFFF. */
function weight(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
