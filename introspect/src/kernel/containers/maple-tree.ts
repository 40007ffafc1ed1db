/**
 * Maple tree walk in ascending index order (lib/maple_tree.c of 6.1 and later). A node pointer carries its
 * type in bits 3 to 6; a leaf's slots hold entries, other nodes' slots hold nodes.
 */
import type { Gva } from '../../memory/address.js';
import type { AddressSpace } from '../../memory/address-space.js';
import type { Budget } from '../../memory/budget.js';

const nodeAlignment = 256;
/** enum maple_type; 2 is range64, laid out like a leaf. */
const leaf64 = 1;
const arange64 = 3;
const range64Slots = 16;
const arange64Slots = 10;
const deepest = 16;

/** Entries between low and high (inclusive bounds on the index), empty slots left out. */
export function* walkMapleTree(
  space: AddressSpace,
  root: Gva,
  budget: Budget,
  low = 0,
  high = Infinity,
): Generator<Gva> {
  if (root === 0) return;
  if (!isNode(root)) {
    yield root;
    return;
  }
  yield* walkNode(space, root, budget, 0, Infinity, low, high, 0);
}

/** xa_is_node: bits 1:0 are 10 and the value is above the reserved entries. */
function isNode(entry: Gva): boolean {
  return (entry & 3) === 2 && !(entry >= 0 && entry <= 4096);
}

function* walkNode(
  space: AddressSpace,
  entry: Gva,
  budget: Budget,
  min: number,
  max: number,
  low: number,
  high: number,
  depth: number,
): Generator<Gva> {
  budget.take();
  const node = entry - (entry & (nodeAlignment - 1));
  const type = (entry >> 3) & 15;
  const parent = space.pointer(node);
  if (depth > deepest || parent === node || type < leaf64 || type > arange64) {
    budget.cut('a maple tree of the guest kernel is broken');
    return;
  }
  const slots = type === arange64 ? arange64Slots : range64Slots;
  const pivots = node + 8;
  const firstSlot = pivots + (slots - 1) * 8;
  let start = min;
  for (let slot = 0; slot < slots && start <= high; slot++) {
    const pivot = slot < slots - 1 ? pivotAt(space, pivots + slot * 8) : max;
    const end = slot > 0 && pivot === 0 ? max : Math.min(pivot, max);
    if (end < start) return;
    const value = space.pointer(firstSlot + slot * 8);
    if (value !== 0 && end >= low) {
      if (type !== leaf64) yield* walkNode(space, value, budget, start, end, low, high, depth + 1);
      else if (space.translate(value) >= 0) yield value;
    }
    if (end >= max) return;
    start = end + 1;
  }
}

/** Indexes are user addresses; the all-ones pivot of the last range reads as no canonical address or −1. */
function pivotAt(space: AddressSpace, at: Gva): number {
  const pivot = space.pointer(at);
  return pivot >= 0 ? pivot : Infinity;
}
