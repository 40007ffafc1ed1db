import { expect, test } from 'vitest';
import { Budget } from '../src/memory/budget.js';
import { WalkCut } from '../src/memory/guest-fault.js';
import { walkList } from '../src/kernel/containers/list.js';
import { walkMapleTree } from '../src/kernel/containers/maple-tree.js';
import { walkRbTree } from '../src/kernel/containers/rbtree.js';
import { TestKernel } from './support/test-kernel.js';

function guest() {
  const made = new TestKernel();
  const { image } = made;
  const finish = () => made.attach().space;
  return { image, finish };
}

test('a list ends at its head', () => {
  const { image, finish } = guest();
  const [head, ...nodes] = [1, 2, 3, 4].map(() => image.alloc(16));
  image.listHead(head!);
  for (const node of nodes) image.listAdd(head!, node);
  const budget = new Budget(100);
  expect([...walkList(finish(), head!, budget)]).toEqual(nodes);
  expect(budget.cutReason).toBeUndefined();
});

test.each([
  ['a loop that avoids the head', (nodes: number[]) => nodes[0]!],
  ['a wild pointer', () => 0x1234],
  ['a user address', () => 0x7fff_0000],
])('%s ends the walk and is told', (_, target) => {
  const { image, finish } = guest();
  const [head, ...nodes] = [1, 2, 3, 4].map(() => image.alloc(16));
  image.listHead(head!);
  for (const node of nodes) image.listAdd(head!, node);
  image.u64(nodes[2]!, target(nodes));
  const budget = new Budget(100);
  expect([...walkList(finish(), head!, budget)].length).toBeLessThanOrEqual(3);
  expect(budget.cutReason).toMatch(/list/);
});

test('a list longer than the budget is cut', () => {
  const { image, finish } = guest();
  const head = image.alloc(16);
  image.listHead(head);
  for (let i = 0; i < 50; i++) image.listAdd(head, image.alloc(16));
  expect(() => [...walkList(finish(), head, new Budget(10))]).toThrow(WalkCut);
});

test('a red-black tree comes in order, a looping one is cut', () => {
  const { image, finish } = guest();
  const [root, left, right] = [1, 2, 3].map(() => image.alloc(24)) as [number, number, number];
  image.u64(root + 16, left);
  image.u64(root + 8, right);
  const looped = image.alloc(24);
  image.u64(looped + 16, looped);
  const space = finish();
  expect([...walkRbTree(space, root, new Budget(100))]).toEqual([left, root, right]);
  const budget = new Budget(1000);
  expect([...walkRbTree(space, looped, budget)]).toEqual([]);
  expect(budget.cutReason).toMatch(/tree/);
});

test('a maple tree of two levels gives its entries; ranges narrow it', () => {
  const { image, finish } = guest();
  const entries = [1, 2, 3].map(() => image.alloc(8));
  const leaf = (bounds: number[], slots: number[]) => {
    const node = image.alloc(256);
    image.u64(node, node + 0x1000);
    bounds.forEach((bound, i) => image.u64(node + 8 + i * 8, bound));
    slots.forEach((slot, i) => image.u64(node + 128 + i * 8, slot));
    return node + (1 << 3) + 2;
  };
  const low = leaf([99, 199, 999], [0, entries[0]!, entries[1]!]);
  const high = leaf([1999], [entries[2]!]);
  const root = image.alloc(256);
  image.u64(root, root + 0x1000);
  image.u64(root + 8, 999);
  image.u64(root + 8 + 9 * 8, low);
  image.u64(root + 8 + 10 * 8, high);
  const top = root + (3 << 3) + 2;
  const space = finish();
  expect([...walkMapleTree(space, top, new Budget(100))]).toEqual(entries);
  expect([...walkMapleTree(space, top, new Budget(100), 150, 160)]).toEqual([entries[0]]);
  expect([...walkMapleTree(space, 0, new Budget(1))]).toEqual([]);
});

test('a maple node that contains itself is cut', () => {
  const { image, finish } = guest();
  const node = image.alloc(256);
  const entry = node + (3 << 3) + 2;
  image.u64(node, node + 0x1000);
  for (let slot = 0; slot < 10; slot++) image.u64(node + 8 + 9 * 8 + slot * 8, entry);
  for (let pivot = 0; pivot < 9; pivot++) image.u64(node + 8 + pivot * 8, (pivot + 1) * 1000);
  const budget = new Budget(10_000);
  expect([...walkMapleTree(finish(), entry, budget)]).toEqual([]);
  expect(budget.cutReason).toMatch(/maple/);
});
