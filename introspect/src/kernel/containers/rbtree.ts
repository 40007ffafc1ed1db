/** In-order walk of a red-black tree (include/linux/rbtree.h). */
import type { Gva } from '../../memory/address.js';
import type { AddressSpace } from '../../memory/address-space.js';
import type { Budget } from '../../memory/budget.js';

/** struct rb_node: parent and colour, right, left. */
const rightOffset = 8;
const leftOffset = 16;
/** A red-black tree of 2^30 nodes is at most 60 high. */
const deepest = 64;

/** Addresses of the rb_nodes under root (the value of rb_root.rb_node), leftmost first. */
export function* walkRbTree(space: AddressSpace, root: Gva, budget: Budget): Generator<Gva> {
  const path: Gva[] = [];
  let node = root;
  while (node !== 0 || path.length > 0) {
    while (node !== 0) {
      budget.take();
      if (path.length >= deepest || space.translate(node) < 0) {
        budget.cut('a red-black tree of the guest kernel is broken');
        return;
      }
      path.push(node);
      node = space.pointer(node + leftOffset);
    }
    const top = path.pop()!;
    yield top;
    node = space.pointer(top + rightOffset);
  }
}
