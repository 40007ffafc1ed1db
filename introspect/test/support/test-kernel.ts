/** A made-up kernel with a few processes, files, mounts, modules and log lines, for the decoders to read. */
import { attach } from '../../src/kernel/attach.js';
import type { Kernel } from '../../src/kernel/kernel.js';
import type { BtfWriter } from './btf-writer.js';
import { GuestImage, imageBase, linearBase, ramBase } from './guest-image.js';
import { kernelStructs } from './kernel-structs.js';

export interface TestTask {
  address: number;
  pid: number;
}

interface SocketEnds {
  local?: readonly number[];
  localPort?: number;
  remote?: readonly number[];
  remotePort?: number;
}

export class TestKernel {
  readonly btf: BtfWriter;
  readonly image: GuestImage;
  readonly variant: 'old' | 'new';
  readonly initTask: number;
  readonly tasks: TestTask[] = [];
  readonly rootMount: number;
  readonly rootDentry: number;
  readonly superBlock: number;

  constructor(variant: 'old' | 'new' = 'old') {
    this.variant = variant;
    this.btf = kernelStructs(variant);
    const image = (this.image = new GuestImage(this.btf));
    image.text(image.variable('linux_banner', 256), 'Linux version 0.0.1-test');
    const map = image.variable('kernel_map', 64);
    image.u64(image.member(map, 'kernel_mapping', 'va_pa_offset'), linearBase - (ramBase + 0x20_0000));
    this.initTask = image.variable('init_task', this.btf.size('task_struct'));
    image.text(this.#task(this.initTask, 'comm'), 'swapper');
    image.listHead(this.#task(this.initTask, 'tasks'));
    image.listHead(image.variable('modules', 16));
    this.superBlock = this.#makeSuperBlock();
    this.rootDentry = this.dentry('', 0);
    this.rootMount = this.mount('rootfs', this.rootDentry, 0, 0);
  }

  #task(task: number, path: string): number {
    return this.image.member(task, 'task_struct', path);
  }

  #set(struct: string, object: number, values: Record<string, number | bigint>): void {
    for (const [path, value] of Object.entries(values)) this.image.u64(this.image.member(object, struct, path), value);
  }

  /** A process with one thread; mm is its mm_struct, 0 for a kernel thread. */
  process(pid: number, comm: string, parent: number, mm = 0): TestTask {
    const { image } = this;
    const task = image.object('task_struct');
    const signal = image.object('signal_struct');
    const cred = image.object('cred');
    this.#set('cred', cred, { uid: 1000, gid: 7, suid: 1001, sgid: 8, euid: 1002, egid: 9 });
    const self = image.object('pid');
    image.u32(image.member(self, 'pid', 'numbers'), pid);
    this.#set('signal_struct', signal, {
      nr_threads: 1,
      stime: 2_000_000n,
      utime: 1_000_000n,
      sum_sched_runtime: 6_000_000n,
    });
    image.u64(image.member(signal, 'signal_struct', 'pids') + 16, self);
    image.u64(image.member(signal, 'signal_struct', 'pids') + 24, self);
    const head = image.member(signal, 'signal_struct', 'thread_head');
    image.listHead(head);
    this.#set('task_struct', task, {
      pid,
      tgid: pid,
      mm,
      active_mm: mm,
      signal,
      real_cred: cred,
      real_parent: parent,
      group_leader: task,
      __state: 1,
      prio: 120,
      static_prio: 125,
      flags: mm === 0 ? 0x20_0000 : 0,
      start_boottime: BigInt(pid) * 1_000_000_000n,
      nvcsw: 3,
      nivcsw: 4,
    });
    image.text(this.#task(task, 'comm'), comm);
    image.listAdd(this.#task(this.initTask, 'tasks'), this.#task(task, 'tasks'));
    image.listAdd(head, this.#task(task, 'thread_node'));
    this.tasks.push({ address: task, pid });
    return { address: task, pid };
  }

  setTask(task: number, values: Record<string, number | bigint>): void {
    this.#set('task_struct', task, values);
  }

  /** An mm with areas [start, end, flags] in one maple leaf. */
  mm(areas: [number, number, number][]): number {
    const { image, btf } = this;
    const mm = image.object('mm_struct');
    const leaf = image.alloc(256);
    areas.slice(0, 15).forEach(([start, end, flags], i) => {
      const vma = image.object('vm_area_struct');
      this.#set('vm_area_struct', vma, { vm_start: start, vm_end: end, vm_flags: flags });
      // One gap before each area: slots alternate between empty ranges and areas.
      image.u64(leaf + 8 + i * 16, start - 1);
      image.u64(leaf + 8 + i * 16 + 8, end - 1);
      image.u64(leaf + 8 + 15 * 8 + i * 16 + 8, vma);
    });
    image.u64(leaf, leaf + 0x1000);
    this.#set('mm_struct', mm, { total_vm: 50, 'mm_mt.ma_root': leaf + (1 << 3) + 2, pgd: image.alloc(4096) });
    const rss = image.member(mm, 'mm_struct', 'rss_stat');
    const stride = this.variant === 'old' ? 8 : btf.size('percpu_counter');
    const count = this.variant === 'old' ? 0 : btf.offset('percpu_counter', 'count');
    [10, 20, 99, 3].forEach((pages, i) => image.u64(rss + i * stride + count, pages));
    if (this.variant === 'new') {
      for (let i = 0; i < 4; i++)
        image.u64(rss + i * stride + btf.offset('percpu_counter', 'counters'), image.alloc(8));
    }
    return mm;
  }

  #makeSuperBlock(): number {
    const { image } = this;
    const type = image.object('file_system_type');
    this.#set('file_system_type', type, { name: image.newText('testfs') });
    const block = image.object('super_block');
    this.#set('super_block', block, { s_dev: (8 << 20) | 3, s_blocksize: 4096, s_type: type });
    return block;
  }

  /** parent 0: a root. */
  dentry(name: string, parent: number, mode = 0o100644): number {
    const { image } = this;
    const dentry = image.object('dentry');
    const inode = image.object('inode');
    this.#set('inode', inode, { i_mode: mode, i_sb: this.superBlock, i_ino: 100 + name.length });
    this.#set('dentry', dentry, {
      d_parent: parent || dentry,
      'd_name.name': image.newText(name),
      'd_name.len': Buffer.byteLength(name),
      d_inode: inode,
      d_sb: this.superBlock,
      'd_hash.pprev': dentry,
    });
    return dentry;
  }

  mount(source: string, root: number, parent: number, mountPoint: number, flags = 0x20): number {
    const { image } = this;
    const mount = image.object('mount');
    this.#set('mount', mount, {
      mnt_parent: parent || mount,
      mnt_mountpoint: mountPoint || root,
      'mnt.mnt_root': root,
      'mnt.mnt_sb': this.superBlock,
      'mnt.mnt_flags': flags,
      mnt_devname: image.newText(source),
      mnt_id: 20 + source.length,
    });
    return mount;
  }

  vfsmount(mount: number): number {
    return this.image.member(mount, 'mount', 'mnt');
  }

  file(dentry: number, mount = this.rootMount): number {
    const { image } = this;
    const file = image.object('file');
    const inode = Number(image.bytes.readBigInt64LE(image.at(image.member(dentry, 'dentry', 'd_inode'))));
    this.#set('file', file, {
      'f_path.dentry': dentry,
      'f_path.mnt': this.vfsmount(mount),
      f_inode: inode,
      f_flags: 2,
      f_pos: 5,
    });
    return file;
  }

  /** An open socket: numbers of include/linux/socket.h and so on, addresses as bytes, what a Unix one is bound to. */
  socket(
    of: { family: number; type: number; protocol?: number; state?: number; unixName?: string } & SocketEnds,
  ): number {
    const { image } = this;
    const [holder, sock, file] = [image.object('socket_alloc'), image.object('unix_sock'), image.object('file')];
    const bytes = (path: string, values: readonly number[]): void =>
      values.forEach((value, i) => image.u8(image.member(sock, 'sock', path) + i, value));
    const u16 = (value: number): number[] => [value & 255, value >>> 8];
    bytes('__sk_common.skc_family', u16(of.family));
    bytes('__sk_common.skc_rcv_saddr', of.local ?? [0, 0, 0, 0]);
    bytes('__sk_common.skc_daddr', of.remote ?? [0, 0, 0, 0]);
    bytes('__sk_common.skc_num', u16(of.localPort ?? 0));
    bytes('__sk_common.skc_dport', u16(of.remotePort ?? 0).reverse());
    bytes('__sk_common.skc_state', [of.state ?? 0]);
    bytes('sk_protocol', [of.protocol ?? 0]);
    if (of.unixName !== undefined) {
      const address = image.object('unix_address');
      image.u32(image.member(address, 'unix_address', 'len'), 2 + of.unixName.length);
      image.text(image.member(address, 'unix_address', 'name') + 2, of.unixName);
      this.#set('unix_sock', sock, { addr: address });
    }
    image.u8(image.member(holder, 'socket_alloc', 'socket.type'), of.type);
    const inode = image.member(holder, 'socket_alloc', 'vfs_inode');
    this.#set('socket_alloc', holder, { 'socket.sk': sock });
    this.#set('inode', inode, { i_mode: 0xc1ff, i_sb: this.superBlock, i_ino: 77 });
    this.#set('file', file, {
      'f_path.dentry': this.rootDentry,
      'f_path.mnt': this.vfsmount(this.rootMount),
      f_inode: inode,
    });
    return file;
  }

  /** Gives a process a descriptor table and a root directory. */
  open(task: TestTask, files: number[]): void {
    const { image } = this;
    const table = image.object('fdtable');
    const array = image.alloc(files.length * 8);
    files.forEach((file, fd) => image.u64(array + fd * 8, file));
    this.#set('fdtable', table, { max_fds: files.length, fd: array });
    const holder = image.object('files_struct');
    this.#set('files_struct', holder, { fdt: table });
    const fs = image.object('fs_struct');
    for (const which of ['root', 'pwd']) {
      this.#set('fs_struct', fs, {
        [`${which}.mnt`]: this.vfsmount(this.rootMount),
        [`${which}.dentry`]: this.rootDentry,
      });
    }
    this.setTask(task.address, { files: holder, fs });
  }

  /** Puts mounts into the namespace of a process. */
  namespace(task: TestTask, mounts: number[]): void {
    const { image } = this;
    const namespace = image.object('mnt_namespace');
    const proxy = image.object('nsproxy');
    this.#set('nsproxy', proxy, { mnt_ns: namespace });
    this.setTask(task.address, { nsproxy: proxy });
    if (this.variant === 'old') {
      const head = image.member(namespace, 'mnt_namespace', 'list');
      image.listHead(head);
      for (const mount of mounts) image.listAdd(head, image.member(mount, 'mount', 'mnt_list'));
      return;
    }
    // A tree that leans to the right is ordered as well as any.
    let link = image.member(namespace, 'mnt_namespace', 'mounts');
    for (const mount of mounts) {
      const node = image.member(mount, 'mount', 'mnt_node');
      image.u64(link, node);
      link = node + 8;
    }
  }

  /** The printk ring with these lines; sizes are powers of two. */
  log(lines: string[]): void {
    const { image, btf } = this;
    const ring = image.object('printk_ringbuffer');
    const count = 16;
    const descs = image.alloc(count * btf.size('prb_desc'));
    const infos = image.alloc(count * btf.size('printk_info'));
    const data = image.alloc(4096);
    let at = 0;
    lines.forEach((line, id) => {
      const length = Buffer.byteLength(line);
      const next = at + 8 + Math.ceil(length / 8) * 8;
      const desc = descs + id * btf.size('prb_desc');
      this.#set('prb_desc', desc, {
        state_var: (2n << 62n) | BigInt(id),
        'text_blk_lpos.begin': at,
        'text_blk_lpos.next': next,
      });
      const info = infos + id * btf.size('printk_info');
      this.#set('printk_info', info, {
        seq: id,
        ts_nsec: id * 1000,
        text_len: length,
        facility: 1,
        caller_id: 1,
        flags: 6 << 5,
      });
      image.u64(data + at, id);
      image.text(data + at + 8, line);
      at = next;
    });
    this.#set('printk_ringbuffer', ring, {
      'desc_ring.count_bits': 4,
      'desc_ring.descs': descs,
      'desc_ring.infos': infos,
      'desc_ring.head_id': lines.length - 1,
      'text_data_ring.size_bits': 12,
      'text_data_ring.data': data,
    });
    image.u64(image.variable('prb', 8), ring);
  }

  module(name: string, size: number): number {
    const { image } = this;
    const module = image.object('module');
    image.text(image.member(module, 'module', 'name'), name);
    const part =
      this.variant === 'old' ? image.member(module, 'module', 'core_layout') : image.member(module, 'module', 'mem');
    image.u64(part, imageBase - 0x10_0000);
    image.u32(part + 8, size);
    this.#set('module', module, { refcnt: 2, exit: imageBase, taints: (1 << 12) | 1 });
    image.listHead(image.member(module, 'module', 'source_list'));
    image.listAdd(this.#modulesHead(), image.member(module, 'module', 'list'));
    return module;
  }

  #modulesHead(): number {
    return this.image.addressOf('modules');
  }

  attach(): Kernel {
    return attach(this.image.finish(this.variant === 'new'));
  }
}
