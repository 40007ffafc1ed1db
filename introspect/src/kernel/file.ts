/** Open files: struct file, inode, and a process's descriptor table. */
import type { Gva } from '../memory/address.js';
import type { Budget } from '../memory/budget.js';
import type { Kernel } from './kernel.js';

/** sysctl fs.nr_open cannot go beyond this on 64-bit kernels' default; a larger table is not believed. */
const mostDescriptors = 1 << 20;

/** S_IFMT values (include/uapi/linux/stat.h). */
const typeNames: Record<number, string> = {
  0x1000: 'fifo',
  0x2000: 'character',
  0x4000: 'directory',
  0x6000: 'block',
  0x8000: 'regular',
  0xa000: 'link',
  0xc000: 'socket',
};

export class FileObjects {
  readonly #kernel: Kernel;
  readonly #file: { path: number; inode: number; pos: number; flags: number };
  readonly #inode: { mode: number; number: number; superBlock: number };
  readonly #device: number;
  readonly #table: { fdt: number; maxFds: number; fd: number };

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const file = kernel.types.struct('file', 'f_path', 'f_inode');
    this.#file = {
      path: file.offset('f_path'),
      inode: file.offset('f_inode'),
      pos: file.offset('f_pos'),
      flags: file.offset('f_flags'),
    };
    const inode = kernel.types.struct('inode', 'i_mode', 'i_ino');
    this.#inode = { mode: inode.offset('i_mode'), number: inode.offset('i_ino'), superBlock: inode.offset('i_sb') };
    this.#device = kernel.types.struct('super_block', 's_dev').offset('s_dev');
    const table = kernel.types.struct('fdtable', 'max_fds', 'fd');
    this.#table = {
      fdt: kernel.types.struct('files_struct', 'fdt').offset('fdt'),
      maxFds: table.offset('max_fds'),
      fd: table.offset('fd'),
    };
  }

  /** Descriptors and their struct file, lowest first; only narrows to one descriptor. */
  *descriptors(files: Gva, budget: Budget, only?: number): Generator<{ fd: number; file: Gva }> {
    const { space } = this.#kernel;
    const table = space.pointer(files + this.#table.fdt);
    const count = space.u32(table + this.#table.maxFds);
    if (count > mostDescriptors) {
      budget.cut('a descriptor table of the guest kernel is broken');
      return;
    }
    const array = space.pointer(table + this.#table.fd);
    const last = only === undefined ? count : Math.min(count, only + 1);
    for (let fd = only ?? 0; fd < last; fd++) {
      budget.take();
      // From 6.12 the low bits of a slot may carry flags; struct file is aligned far beyond them.
      const slot = space.pointer(array + fd * 8);
      if (slot < 0) yield { fd, file: slot - (slot & 3) };
    }
  }

  pathOf(file: Gva): Gva {
    return file + this.#file.path;
  }
  position(file: Gva): bigint {
    return BigInt.asIntN(64, this.#kernel.space.u64(file + this.#file.pos));
  }
  flags(file: Gva): number {
    return this.#kernel.space.u32(file + this.#file.flags);
  }
  inode(file: Gva): Gva {
    return this.#kernel.space.pointer(file + this.#file.inode);
  }
  inodeNumber(inode: Gva): bigint {
    return BigInt.asIntN(64, this.#kernel.space.u64(inode + this.#inode.number));
  }
  mode(inode: Gva): number {
    return this.#kernel.space.u16(inode + this.#inode.mode);
  }
  typeName(inode: Gva): string {
    return typeNames[this.mode(inode) & 0xf000] ?? 'anon';
  }
  /** s_dev of the inode's file system. */
  device(inode: Gva): number {
    return this.#kernel.space.u32(this.#kernel.space.pointer(inode + this.#inode.superBlock) + this.#device);
  }
}

/** Kernel-internal dev_t: 12 bits of major above 20 bits of minor. */
export function deviceNumbers(device: number): { major: number; minor: number } {
  return { major: device >>> 20, minor: device & 0xfffff };
}
