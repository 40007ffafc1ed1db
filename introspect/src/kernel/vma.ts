/** Virtual memory areas, named as /proc/PID/maps names them (fs/proc/task_mmu.c, show_map_vma). */
import type { Gva } from '../memory/address.js';
import type { Budget } from '../memory/budget.js';
import { walkMapleTree } from './containers/maple-tree.js';
import { FileObjects } from './file.js';
import type { Kernel } from './kernel.js';
import { Paths } from './path.js';

const vmRead = 1;
const vmWrite = 2;
const vmExec = 4;
const vmMayshare = 0x80;

export interface Area {
  address: Gva;
  start: Gva;
  end: Gva;
  /** Low 32 bits: all the permission bits are there. */
  flags: number;
  file: Gva;
}

export class Areas {
  readonly #kernel: Kernel;
  readonly #tree: number | undefined;
  readonly #listHead: number | undefined;
  readonly #mm: { brk: number; startBrk: number; startStack: number };
  readonly #vma: {
    start: number;
    end: number;
    flags: number;
    pgoff: number;
    file: number;
    ops: number;
    privateData: number;
    next: number | undefined;
    anonName: number | undefined;
  };

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const mm = kernel.types.struct('mm_struct', 'start_brk');
    this.#tree = mm.optional('mm_mt.ma_root');
    this.#listHead = mm.optional('mmap');
    this.#mm = { brk: mm.offset('brk'), startBrk: mm.offset('start_brk'), startStack: mm.offset('start_stack') };
    const vma = kernel.types.struct('vm_area_struct', 'vm_start');
    this.#vma = {
      start: vma.offset('vm_start'),
      end: vma.offset('vm_end'),
      flags: vma.offset('vm_flags'),
      pgoff: vma.offset('vm_pgoff'),
      file: vma.offset('vm_file'),
      ops: vma.offset('vm_ops'),
      privateData: vma.offset('vm_private_data'),
      next: vma.optional('vm_next'),
      anonName: vma.optional('anon_name'),
    };
  }

  /** Areas in address order; from and to narrow the walk to areas that touch them. */
  *of(mm: Gva, budget: Budget, from = 0, to = Infinity): Generator<Area> {
    let before = 0;
    for (const address of this.#walk(mm, budget, from, to)) {
      const area = this.#read(address);
      if (!(area.start >= before && area.end > area.start)) {
        budget.cut('the memory areas of a process overlap');
        return;
      }
      before = area.end;
      yield area;
    }
  }

  *#walk(mm: Gva, budget: Budget, from: number, to: number): Generator<Gva> {
    const { space } = this.#kernel;
    if (this.#tree !== undefined) {
      yield* walkMapleTree(space, space.pointer(mm + this.#tree), budget, from, to);
      return;
    }
    if (this.#listHead === undefined || this.#vma.next === undefined) return;
    for (let vma = space.pointer(mm + this.#listHead); vma !== 0; vma = space.pointer(vma + this.#vma.next)) {
      budget.take();
      yield vma;
    }
  }

  #read(address: Gva): Area {
    const { space } = this.#kernel;
    return {
      address,
      start: space.pointer(address + this.#vma.start),
      end: space.pointer(address + this.#vma.end),
      flags: space.u32(address + this.#vma.flags),
      file: space.pointer(address + this.#vma.file),
    };
  }

  permissions(area: Area): string {
    const { flags } = area;
    const letters = (flags & vmRead ? 'r' : '-') + (flags & vmWrite ? 'w' : '-') + (flags & vmExec ? 'x' : '-');
    return letters + (flags & vmMayshare ? 's' : 'p');
  }

  flags(area: Area): bigint {
    return this.#kernel.space.u64(area.address + this.#vma.flags);
  }

  /** Bytes into the mapped file; 0 without one. */
  offset(area: Area): bigint {
    if (area.file === 0) return 0n;
    return BigInt.asIntN(64, this.#kernel.space.u64(area.address + this.#vma.pgoff) << 12n);
  }

  path(mm: Gva, area: Area): string {
    if (area.file !== 0) {
      return this.#kernel.decoder(Paths).ofPath(this.#kernel.decoder(FileObjects).pathOf(area.file)) ?? '';
    }
    const special = this.#specialName(area);
    if (special !== undefined) return special;
    const { space } = this.#kernel;
    if (area.start <= space.pointer(mm + this.#mm.brk) && area.end >= space.pointer(mm + this.#mm.startBrk))
      return '[heap]';
    const stack = space.pointer(mm + this.#mm.startStack);
    if (area.start <= stack && area.end >= stack) return '[stack]';
    return this.#anonymousName(area);
  }

  /** vdso and vvar: areas of _install_special_mapping(), whose private data is a vm_special_mapping. */
  #specialName(area: Area): string | undefined {
    const { space, symbols, types } = this.#kernel;
    const operations = space.pointer(area.address + this.#vma.ops);
    if (operations === 0 || operations !== symbols.lookup('special_mapping_vmops')) return undefined;
    const mapping = space.pointer(area.address + this.#vma.privateData);
    return space.text(space.pointer(mapping + types.struct('vm_special_mapping', 'name').offset('name')), 64);
  }

  /** prctl(PR_SET_VMA_ANON_NAME). */
  #anonymousName(area: Area): string {
    const { space, types } = this.#kernel;
    if (this.#vma.anonName === undefined || !types.hasStruct('anon_vma_name')) return '';
    const name = space.pointer(area.address + this.#vma.anonName);
    if (!(name < 0)) return '';
    return `[anon:${space.text(name + types.struct('anon_vma_name', 'name').offset('name'), 80)}]`;
  }
}
