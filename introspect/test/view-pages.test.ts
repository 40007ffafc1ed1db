/** The view area as a reader meets it: the rules of docs/protocol.md, and an area that breaks them. */
import { expect, test } from 'vitest';
import { preimageSlot, viewAreaHeader, viewMagic } from '../src/gen/telemetry.js';
import { GuestMemory } from '../src/memory/guest-memory.js';
import { ViewPages } from '../src/memory/view-pages.js';

const pages = 8;
const slots = 4;
const pageBytes = 4096;
const at = { tags: 4096, heads: 8192, slots: 12288, pool: 16384 };
const base = 0x8000_0000;

/** RAM and a view area in plain memory, written as the daemon writes them. */
function machine() {
  const ram = new ArrayBuffer(pages * pageBytes);
  const area = new ArrayBuffer(at.pool + slots * pageBytes);
  const view = new DataView(area);
  const put = (offset: number, value: number | bigint) => view.setBigUint64(offset, BigInt(value), true);
  put(viewAreaHeader.magic, viewMagic);
  put(viewAreaHeader.ramPages, pages);
  put(viewAreaHeader.slotCount, slots);
  put(viewAreaHeader.tagsOffset, at.tags);
  put(viewAreaHeader.headsOffset, at.heads);
  put(viewAreaHeader.slotsOffset, at.slots);
  put(viewAreaHeader.poolOffset, at.pool);
  const open = (place: number, epoch: number) => put(viewAreaHeader.open + place * 8, epoch);
  const write = (page: number, value: number) => new Uint8Array(ram, page * pageBytes, pageBytes).fill(value);
  const tag = (page: number, epoch: number) => put(at.tags + page * 8, epoch);
  const save = (slot: number, page: number, first: number, last: number, value: number) => {
    const place = at.slots + slot * preimageSlot.size;
    put(place + preimageSlot.page, page);
    put(place + preimageSlot.first, first);
    put(place + preimageSlot.last, last);
    view.setUint32(place + preimageSlot.next, view.getUint32(at.heads + page * 4, true), true);
    view.setUint32(at.heads + page * 4, slot + 1, true);
    new Uint8Array(area, at.pool + slot * pageBytes, pageBytes).fill(value);
  };
  return { ram, area, put, open, write, tag, save };
}

const read = (memory: GuestMemory, page: number) => memory.u8(base + page * pageBytes + 5);

test('a page comes from RAM until it is written, then from the pre-image of the right epoch', () => {
  const { ram, area, open, write, tag, save } = machine();
  const memory = new GuestMemory(ram, base, undefined, new ViewPages(ram, area));
  write(1, 10);
  open(0, 1);
  memory.select({ place: 0, epoch: 1 });
  expect(read(memory, 2)).toBe(0);
  save(0, 1, 1, 1, 10);
  tag(1, 1);
  write(1, 20);
  expect(read(memory, 1)).toBe(10);
  open(1, 2);
  save(1, 1, 2, 2, 20);
  tag(1, 2);
  write(1, 30);
  memory.select({ place: 1, epoch: 2 });
  expect(read(memory, 1)).toBe(20);
  memory.select({ place: 0, epoch: 1 });
  expect(read(memory, 1)).toBe(10);
  memory.select(undefined);
  expect(read(memory, 1)).toBe(30);
  expect(memory.haystack(base + pageBytes, base + 2 * pageBytes)[0]).toBe(30);
});

test('copies serve later views while their page is not written, and only then', () => {
  const { ram, area, open, write, tag } = machine();
  const memory = new GuestMemory(ram, base, undefined, new ViewPages(ram, area));
  open(0, 1);
  memory.select({ place: 0, epoch: 1 });
  expect([read(memory, 3), read(memory, 4)]).toEqual([0, 0]);
  open(0, 0);
  tag(3, 1);
  write(3, 7);
  open(0, 2);
  memory.select({ place: 0, epoch: 2 });
  expect([read(memory, 3), read(memory, 4)]).toEqual([7, 0]);
});

test('reads across pages see one view', () => {
  const { ram, area, open, write, tag, save } = machine();
  const memory = new GuestMemory(ram, base, undefined, new ViewPages(ram, area));
  open(0, 1);
  save(0, 2, 1, 1, 0x11);
  tag(2, 1);
  write(1, 0x22);
  write(2, 0x33);
  memory.select({ place: 0, epoch: 1 });
  expect(memory.u32(base + 2 * pageBytes - 2)).toBe(0x11112222);
  expect([...memory.copy(base + 2 * pageBytes - 1, 2)]).toEqual([0x22, 0x11]);
});

test('a lost view is an error', () => {
  const { ram, area, open, tag } = machine();
  const views = new ViewPages(ram, area);
  const memory = new GuestMemory(ram, base, undefined, views);
  open(0, 1);
  memory.select({ place: 0, epoch: 1 });
  expect(read(memory, 0)).toBe(0);
  open(0, 0);
  expect(views.isOpen({ place: 0, epoch: 1 })).toBe(false);
  expect(() => read(memory, 1)).toThrow(expect.objectContaining({ sqlstate: '55000' }));
  open(0, 5);
  tag(2, 6);
  memory.select({ place: 0, epoch: 5 });
  open(0, 9);
  expect(() => read(memory, 2)).toThrow(expect.objectContaining({ sqlstate: '55000' }));
});

test('an area that lies leads nowhere outside it', () => {
  const fields = ['slotCount', 'tagsOffset', 'headsOffset', 'slotsOffset', 'poolOffset'] as const;
  for (const field of fields) {
    for (const value of [1n << 40n, 0xffff_ffff_ffff_fff8n, 3n, BigInt(at.pool + slots * pageBytes)]) {
      const { ram, area, open, tag, put } = machine();
      const memory = new GuestMemory(ram, base, undefined, new ViewPages(ram, area));
      open(0, 1);
      tag(0, 0);
      put(viewAreaHeader[field], value);
      memory.select({ place: 0, epoch: 1 });
      try {
        expect(read(memory, 0)).toBeLessThan(256);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }
  }
  // A chain that runs in a circle, past a head that names no slot.
  const { ram, area, open, tag, save } = machine();
  const memory = new GuestMemory(ram, base, undefined, new ViewPages(ram, area));
  open(0, 2);
  tag(0, 2);
  save(0, 0, 1, 1, 1);
  new DataView(area).setUint32(at.slots + preimageSlot.next, 1, true);
  memory.select({ place: 0, epoch: 2 });
  expect(() => read(memory, 0)).toThrow(expect.objectContaining({ sqlstate: '55000' }));
  expect(() => new ViewPages(new ArrayBuffer(4096), area)).toThrow(/view area/);
});
