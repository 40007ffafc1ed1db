/** struct list_head and hlist walks (include/linux/list.h). */
import type { Gva } from '../../memory/address.js';
import type { AddressSpace } from '../../memory/address-space.js';
import type { Budget } from '../../memory/budget.js';

const nextOffset = 0;
const prevOffset = 8;

/**
 * Addresses of the nodes of a circular list, head excluded. Each node's prev must be where the walk came
 * from; a node that disagrees, or is not mapped, ends the walk as cut short.
 */
export function* walkList(space: AddressSpace, head: Gva, budget: Budget): Generator<Gva> {
  let before = head;
  let node = space.pointer(head + nextOffset);
  while (node !== head) {
    budget.take();
    if (space.translate(node) < 0 || space.pointer(node + prevOffset) !== before) {
      budget.cut('a list of the guest kernel is broken');
      return;
    }
    yield node;
    before = node;
    node = space.pointer(node + nextOffset);
  }
}
