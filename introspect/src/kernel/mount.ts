/** Mounts of a namespace as /proc/PID/mounts shows them (fs/proc_namespace.c, show_vfsmnt). */
import type { Gva } from '../memory/address.js';
import type { Budget } from '../memory/budget.js';
import { introspectError } from '../errors.js';
import { walkList } from './containers/list.js';
import { walkRbTree } from './containers/rbtree.js';
import type { Kernel } from './kernel.js';
import { Paths } from './path.js';
import { TaskList } from './task-list.js';

const mntReadonly = 0x40;
const sbReadonly = 1;
const superBlockOptions: [number, string][] = [
  [1 << 4, 'sync'],
  [1 << 7, 'dirsync'],
  [1 << 6, 'mand'],
  [1 << 25, 'lazytime'],
];
const mountOptions: [number, string][] = [
  [0x01, 'nosuid'],
  [0x02, 'nodev'],
  [0x04, 'noexec'],
  [0x08, 'noatime'],
  [0x10, 'nodiratime'],
  [0x20, 'relatime'],
  [0x80, 'nosymfollow'],
];
const nsproxyHint = 'let the machine run until its first process has started';

export interface Mount {
  address: Gva;
  path: string;
}

export class Mounts {
  readonly #kernel: Kernel;
  readonly #mount: {
    vfs: number;
    root: number;
    superBlock: number;
    flags: number;
    parent: number;
    id: number;
    source: number;
    list: number | undefined;
    node: number | undefined;
  };
  readonly #namespace: { list: number | undefined; tree: number | undefined };
  readonly #superBlock: {
    flags: number;
    type: number;
    typeName: number;
    subtype: number | undefined;
    blockSize: number;
    device: number;
  };

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const mount = kernel.types.struct('mount', 'mnt', 'mnt_parent');
    this.#mount = {
      vfs: mount.offset('mnt'),
      root: mount.offset('mnt.mnt_root'),
      superBlock: mount.offset('mnt.mnt_sb'),
      flags: mount.offset('mnt.mnt_flags'),
      parent: mount.offset('mnt_parent'),
      id: mount.offset('mnt_id'),
      source: mount.offset('mnt_devname'),
      list: mount.optional('mnt_list'),
      node: mount.optional('mnt_node'),
    };
    const namespace = kernel.types.struct('mnt_namespace');
    this.#namespace = { list: namespace.optional('list'), tree: namespace.optional('mounts.rb_node') };
    const block = kernel.types.struct('super_block', 's_dev', 's_type');
    this.#superBlock = {
      flags: block.offset('s_flags'),
      type: block.offset('s_type'),
      subtype: block.optional('s_subtype'),
      typeName: kernel.types.struct('file_system_type', 'name').offset('name'),
      blockSize: block.offset('s_blocksize'),
      device: block.offset('s_dev'),
    };
  }

  /** Mounts of process 1's namespace that its root can reach, in the kernel's order. */
  *visible(budget: Budget): Generator<Mount> {
    const { space, types } = this.#kernel;
    const paths = this.#kernel.decoder(Paths);
    const init = this.#kernel.decoder(TaskList).leader(1, budget);
    if (!init || init.nsproxy === 0 || init.fs === 0) {
      throw introspectError('kernelNotReady', 'the guest has no first process yet', nsproxyHint);
    }
    const namespace = space.pointer(init.nsproxy + types.struct('nsproxy', 'mnt_ns').offset('mnt_ns'));
    const root = paths.rootOf(init.fs + types.struct('fs_struct', 'root').offset('root'));
    for (const address of this.#all(namespace, budget)) {
      const dentry = space.pointer(address + this.#mount.root);
      const path = paths.below(dentry, address + this.#mount.vfs, root);
      if (path !== undefined) yield { address, path };
    }
  }

  /** A list to 6.7, a tree ordered by mount id from 6.8. */
  *#all(namespace: Gva, budget: Budget): Generator<Gva> {
    const { space } = this.#kernel;
    const { list, tree } = this.#namespace;
    if (list !== undefined && this.#mount.list !== undefined) {
      for (const node of walkList(space, namespace + list, budget)) {
        const address = node - this.#mount.list;
        // Readers of /proc/mounts leave cursors in the list: nodes that are no mounts.
        if ((space.u32(address + this.#mount.flags) & mntCursor) === 0) yield address;
      }
    } else if (tree !== undefined && this.#mount.node !== undefined) {
      for (const node of walkRbTree(space, space.pointer(namespace + tree), budget)) yield node - this.#mount.node;
    }
  }

  source(mount: Gva): string {
    const name = this.#kernel.space.pointer(mount + this.#mount.source);
    return name === 0 ? 'none' : this.#kernel.space.text(name, 4096);
  }

  #super(mount: Gva): Gva {
    return this.#kernel.space.pointer(mount + this.#mount.superBlock);
  }

  fileSystem(mount: Gva): string {
    const { space } = this.#kernel;
    const block = this.#super(mount);
    const name = space.text(
      space.pointer(space.pointer(block + this.#superBlock.type) + this.#superBlock.typeName),
      64,
    );
    const subtype = this.#superBlock.subtype === undefined ? 0 : space.pointer(block + this.#superBlock.subtype);
    return subtype === 0 ? name : `${name}.${space.text(subtype, 64)}`;
  }

  options(mount: Gva): string {
    const { space } = this.#kernel;
    const own = space.u32(mount + this.#mount.flags);
    const block = space.u32(this.#super(mount) + this.#superBlock.flags);
    const readonly = (own & mntReadonly) !== 0 || (block & sbReadonly) !== 0;
    const named = [...superBlockOptions.filter(([bit]) => block & bit), ...mountOptions.filter(([bit]) => own & bit)];
    return [readonly ? 'ro' : 'rw', ...named.map(([, name]) => name)].join(',');
  }

  blockSize(mount: Gva): number {
    return this.#kernel.space.count(this.#super(mount) + this.#superBlock.blockSize);
  }
  device(mount: Gva): number {
    return this.#kernel.space.u32(this.#super(mount) + this.#superBlock.device);
  }
  id(mount: Gva): number {
    return this.#kernel.space.i32(mount + this.#mount.id);
  }
  parentId(mount: Gva): number {
    return this.id(this.#kernel.space.pointer(mount + this.#mount.parent));
  }
}

/** MNT_CURSOR */
const mntCursor = 0x1000_0000;
