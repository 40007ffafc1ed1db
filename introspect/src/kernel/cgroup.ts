/** The cgroup of a task in the default hierarchy, as /proc/PID/cgroup shows it after "0::". */
import type { Kernel } from './kernel.js';
import { GuestFault } from '../memory/guest-fault.js';
import type { Task } from './task.js';

const deepest = 256;

export class Cgroups {
  readonly #kernel: Kernel;
  readonly #defaultCgroup: number;
  readonly #node: number;
  readonly #parent: number;
  readonly #name: number;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#defaultCgroup = kernel.types.struct('css_set', 'dfl_cgrp').offset('dfl_cgrp');
    this.#node = kernel.types.struct('cgroup', 'kn').offset('kn');
    const node = kernel.types.struct('kernfs_node', 'name');
    this.#parent = node.offsetOfAny('parent', '__parent');
    this.#name = node.offset('name');
  }

  path(task: Task): string | null {
    const { space } = this.#kernel;
    if (task.cgroups === 0) return null;
    let node = space.pointer(space.pointer(task.cgroups + this.#defaultCgroup) + this.#node);
    let path = '';
    for (let depth = 0; depth < deepest; depth++) {
      const parent = space.pointer(node + this.#parent);
      if (parent === 0) return path || '/';
      path = '/' + space.text(space.pointer(node + this.#name), 256) + path;
      node = parent;
    }
    throw new GuestFault('a cgroup path does not end');
  }
}
