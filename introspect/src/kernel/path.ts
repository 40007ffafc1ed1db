/**
 * Paths of open files and directories, built the way d_path() does (fs/d_path.c): up the dentries to the
 * mount's root, then on from the mount point.
 */
import type { Gva } from '../memory/address.js';
import { decodeText } from '../memory/address-space.js';
import { GuestFault } from '../memory/guest-fault.js';
import type { Kernel } from './kernel.js';

const longestPath = 4096;
const longestName = 255;
const mostSteps = 4096;
const mostKnown = 16384;

export interface PathRoot {
  dentry: Gva;
  vfsmount: Gva;
}

export class Paths {
  readonly #kernel: Kernel;
  readonly #parent: number;
  readonly #nameAt: number;
  readonly #nameLength: number;
  readonly #inode: number;
  readonly #operations: number;
  readonly #pprev: number;
  readonly #fsdata: number;
  readonly #superBlock: number;
  readonly #mountRoot: number;
  readonly #mountVfs: number;
  readonly #mountParent: number;
  readonly #mountPoint: number;
  readonly #dName: number;
  readonly #inodeNumber: number;
  readonly #pathMount: number;
  readonly #pathDentry: number;
  /** Paths of this instant by dentry: many processes have the same files open. */
  readonly #known = new Map<Gva, { vfsmount: Gva; path: string }>();
  #instant = -1;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const dentry = kernel.types.struct('dentry', 'd_parent', 'd_name.name');
    this.#parent = dentry.offset('d_parent');
    this.#nameAt = dentry.offset('d_name.name');
    this.#nameLength = dentry.offset('d_name.len');
    this.#inode = dentry.offset('d_inode');
    this.#operations = dentry.offset('d_op');
    this.#pprev = dentry.offset('d_hash.pprev');
    this.#fsdata = dentry.offset('d_fsdata');
    this.#superBlock = dentry.offset('d_sb');
    const mount = kernel.types.struct('mount', 'mnt', 'mnt_parent');
    this.#mountVfs = mount.offset('mnt');
    this.#mountRoot = mount.offset('mnt.mnt_root');
    this.#mountParent = mount.offset('mnt_parent');
    this.#mountPoint = mount.offset('mnt_mountpoint');
    this.#dName = kernel.types.struct('dentry_operations', 'd_dname').offset('d_dname');
    this.#inodeNumber = kernel.types.struct('inode', 'i_ino').offset('i_ino');
    const path = kernel.types.struct('path', 'mnt', 'dentry');
    this.#pathMount = path.offset('mnt');
    this.#pathDentry = path.offset('dentry');
  }

  /** The path of a struct path, "(deleted)" appended where /proc appends it; null when it names nothing. */
  ofPath(path: Gva): string | null {
    const { space } = this.#kernel;
    const vfsmount = space.pointer(path + this.#pathMount);
    const dentry = space.pointer(path + this.#pathDentry);
    if (vfsmount === 0 || dentry === 0) return null;
    const known = this.#knownNow().get(dentry);
    if (known?.vfsmount === vfsmount) return known.path;
    const found = this.#named(dentry, vfsmount) ?? this.#walk(dentry, vfsmount, undefined)! + this.#deletedMark(dentry);
    this.#known.set(dentry, { vfsmount, path: found });
    return found;
  }

  #knownNow(): Map<Gva, { vfsmount: Gva; path: string }> {
    if (this.#instant !== this.#kernel.instant || this.#known.size >= mostKnown) this.#known.clear();
    this.#instant = this.#kernel.instant;
    return this.#known;
  }

  rootOf(path: Gva): PathRoot {
    const { space } = this.#kernel;
    return { vfsmount: space.pointer(path + this.#pathMount), dentry: space.pointer(path + this.#pathDentry) };
  }

  /** The path seen from root, or undefined when it lies outside (a mount beyond a chroot). */
  below(dentry: Gva, vfsmount: Gva, root: PathRoot): string | undefined {
    return this.#walk(dentry, vfsmount, root);
  }

  dentryOf(path: Gva): Gva {
    return this.#kernel.space.pointer(path + this.#pathDentry);
  }

  /** d_unlinked(): out of the hash, and not the root of a file system. */
  deleted(dentry: Gva): boolean {
    const { space } = this.#kernel;
    return space.pointer(dentry + this.#pprev) === 0 && space.pointer(dentry + this.#parent) !== dentry;
  }

  superBlockOf(dentry: Gva): Gva {
    return this.#kernel.space.pointer(dentry + this.#superBlock);
  }

  #deletedMark(dentry: Gva): string {
    return this.deleted(dentry) ? ' (deleted)' : '';
  }

  #name(dentry: Gva): string {
    const { space } = this.#kernel;
    const length = space.u32(dentry + this.#nameLength);
    if (length > longestName) throw new GuestFault('a file name longer than 255 bytes');
    return decodeText(space.bytes(space.pointer(dentry + this.#nameAt), length));
  }

  #walk(dentry: Gva, vfsmount: Gva, root: PathRoot | undefined): string | undefined {
    const { space } = this.#kernel;
    let mount = vfsmount - this.#mountVfs;
    let path = '';
    for (let step = 0; step < mostSteps; step++) {
      if (root && dentry === root.dentry && mount + this.#mountVfs === root.vfsmount) return path || '/';
      const parent = space.pointer(dentry + this.#parent);
      if (dentry === space.pointer(mount + this.#mountRoot)) {
        const above = space.pointer(mount + this.#mountParent);
        if (above === mount) return root ? undefined : path || '/';
        dentry = space.pointer(mount + this.#mountPoint);
        mount = above;
        continue;
      }
      if (dentry === parent) return root ? undefined : path || '/';
      path = '/' + this.#name(dentry) + path;
      if (path.length > longestPath) break;
      dentry = parent;
    }
    throw new GuestFault('a path does not end');
  }

  /** Dentries whose file system names them itself (d_dname): pipes, sockets, anonymous inodes, memfd. */
  #named(dentry: Gva, vfsmount: Gva): string | undefined {
    const { space, symbols } = this.#kernel;
    const operations = space.pointer(dentry + this.#operations);
    if (operations === 0) return undefined;
    const dname = space.pointer(operations + this.#dName);
    if (dname === 0) return undefined;
    const isRoot = space.pointer(dentry + this.#parent) === dentry;
    const mountRoot = space.pointer(vfsmount - this.#mountVfs + this.#mountRoot);
    if (isRoot && dentry === mountRoot) return undefined;
    const symbol = symbols.covering(dname);
    switch (symbol === undefined ? '' : symbols.name(symbol)) {
      case 'pipefs_dname':
        return `pipe:[${this.#inodeOf(dentry)}]`;
      case 'sockfs_dname':
        return `socket:[${this.#inodeOf(dentry)}]`;
      case 'anon_inodefs_dname':
        return `anon_inode:${this.#name(dentry)}`;
      case 'ns_dname':
        return `${this.#namespaceName(dentry)}:[${this.#inodeOf(dentry)}]`;
      case 'dmabuffs_dname':
        return `/dmabuf:${this.#name(dentry)}`;
      default:
        return `/${this.#name(dentry)} (deleted)`;
    }
  }

  #inodeOf(dentry: Gva): number {
    const { space } = this.#kernel;
    return space.count(space.pointer(dentry + this.#inode) + this.#inodeNumber);
  }

  /** proc_ns_operations.name, reached through the dentry (to 6.8) or the inode's ns_common (from 6.9). */
  #namespaceName(dentry: Gva): string {
    const { space, types } = this.#kernel;
    const nameAt = types.struct('proc_ns_operations', 'name').offset('name');
    let operations = space.pointer(dentry + this.#fsdata);
    if (!(operations < 0)) {
      const inode = space.pointer(dentry + this.#inode);
      const common = space.pointer(inode + types.struct('inode', 'i_private').offset('i_private'));
      operations = space.pointer(common + types.struct('ns_common', 'ops').offset('ops'));
    }
    return space.text(space.pointer(operations + nameAt), 32);
  }
}
