/** Loaded modules and their symbols (struct module; kernel/module/procfs.c). */
import type { Gva } from '../memory/address.js';
import type { Budget } from '../memory/budget.js';
import { walkList } from './containers/list.js';
import type { Kernel } from './kernel.js';

const nameBytes = 56;
/** enum module_state */
const states = ['Live', 'Loading', 'Unloading'];
const unformed = 3;
const taintLetters = 'PFSRMBUDAWCIOELKXTN';
/** The kernel itself holds one reference (MODULE_REF_BASE). */
const ownReference = 1;
const mostSymbols = 1 << 20;
/** Elf64_Sym */
const symbolBytes = 24;

export interface ModuleSymbol {
  name: string;
  address: Gva;
  type: string;
  size: number;
  module: string;
}

export class Modules {
  readonly #kernel: Kernel;
  readonly #head: Gva;
  readonly #list: number;
  readonly #name: number;
  readonly #state: number;
  readonly #taints: number;
  readonly #refcount: number | undefined;
  readonly #sourceList: number | undefined;
  readonly #exit: number | undefined;
  readonly #init: number;
  readonly #sizes: number[];
  readonly #base: number;
  readonly #kallsyms: number | undefined;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const { types } = kernel;
    const module = types.struct('module', 'list', 'name');
    this.#head = kernel.symbol('modules');
    this.#list = module.offset('list');
    this.#name = module.offset('name');
    this.#state = module.offset('state');
    this.#taints = module.offset('taints');
    this.#refcount = module.optional('refcnt');
    this.#sourceList = module.optional('source_list');
    this.#exit = module.optional('exit');
    this.#init = module.offset('init');
    this.#kallsyms = module.optional('kallsyms');
    if (module.has('core_layout.size')) {
      this.#base = module.offset('core_layout.base');
      const parts = ['core_layout.size', 'init_layout.size', 'data_layout.size'].filter((path) => module.has(path));
      this.#sizes = parts.map((path) => module.offset(path));
    } else {
      // From 6.4: one struct module_memory per kind of section; the first holds the text.
      const part = types.struct('module_memory', 'base', 'size');
      const mem = module.field('mem');
      this.#base = mem.offset + part.offset('base');
      const count = Math.floor(mem.size / part.size);
      this.#sizes = Array.from({ length: count }, (_, i) => mem.offset + i * part.size + part.offset('size'));
    }
  }

  *all(budget: Budget): Generator<Gva> {
    for (const node of walkList(this.#kernel.space, this.#head, budget)) {
      const module = node - this.#list;
      if (this.#kernel.space.u32(module + this.#state) !== unformed) yield module;
    }
  }

  name(module: Gva): string {
    return this.#kernel.space.text(module + this.#name, nameBytes);
  }
  size(module: Gva): number {
    return this.#sizes.reduce((sum, offset) => sum + this.#kernel.space.u32(module + offset), 0);
  }
  status(module: Gva): string {
    return states[this.#kernel.space.u32(module + this.#state)] ?? 'Unknown';
  }
  address(module: Gva): Gva {
    return this.#kernel.space.pointer(module + this.#base);
  }

  references(module: Gva): number {
    return this.#refcount === undefined ? 0 : (this.#kernel.space.i32(module + this.#refcount) - ownReference) | 0;
  }

  /** Modules that use this one, as lsmod lists them, comma-separated. */
  usedBy(module: Gva, budget: Budget): string {
    const { space, types } = this.#kernel;
    const users: string[] = [];
    if (this.#sourceList !== undefined && types.hasStruct('module_use')) {
      const use = types.struct('module_use', 'source', 'source_list');
      for (const node of walkList(space, module + this.#sourceList, budget)) {
        users.push(this.name(space.pointer(node - use.offset('source_list') + use.offset('source'))));
      }
    }
    const permanent =
      this.#exit !== undefined && space.pointer(module + this.#init) !== 0 && space.pointer(module + this.#exit) === 0;
    if (permanent) users.push('[permanent]');
    return users.join(',');
  }

  taints(module: Gva): string | null {
    const bits = this.#kernel.space.u32(module + this.#taints);
    const letters = [...taintLetters].filter((_, bit) => (bits >>> bit) & 1).join('');
    return letters || null;
  }

  /** Symbols of one module from its own table (struct mod_kallsyms), undefined ones left out. */
  *symbols(module: Gva, budget: Budget): Generator<ModuleSymbol> {
    const { space, types } = this.#kernel;
    if (this.#kallsyms === undefined || !types.hasStruct('mod_kallsyms')) return;
    const layout = types.struct('mod_kallsyms', 'symtab', 'num_symtab', 'strtab');
    const table = space.pointer(module + this.#kallsyms);
    const symtab = space.pointer(table + layout.offset('symtab'));
    const strtab = space.pointer(table + layout.offset('strtab'));
    const typetab = layout.has('typetab') ? space.pointer(table + layout.offset('typetab')) : NaN;
    const count = Math.min(space.u32(table + layout.offset('num_symtab')), mostSymbols);
    const name = this.name(module);
    for (let i = 1; i < count; i++) {
      budget.take();
      const entry = symtab + i * symbolBytes;
      if (space.u16(entry + 6) === 0) continue;
      const text = space.text(strtab + space.u32(entry), 512);
      const type = typetab < 0 ? String.fromCharCode(space.u8(typetab + i)) : '?';
      yield { name: text, address: space.pointer(entry + 8), type, size: space.count(entry + 16), module: name };
    }
  }
}
