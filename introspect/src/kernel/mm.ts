/** Address spaces of processes: sizes, command line, page table root (struct mm_struct). */
import type { Gva } from '../memory/address.js';
import { decodeText } from '../memory/address-space.js';
import { readUser } from '../memory/user-memory.js';
import { GuestFault } from '../memory/guest-fault.js';
import type { Kernel } from './kernel.js';

/** MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES: what VmRSS adds up. */
const residentCounters = [0, 1, 3];
/** A longer command line is cut here; a row must fit one frame. */
const longestCommandLine = 128 * 1024;
const pageBytes = 4096;

export class AddressSpaces {
  readonly #kernel: Kernel;
  readonly #pgd: number;
  readonly #totalVm: number;
  readonly #rss: number;
  /** Bytes from one counter to the next; per-CPU counters carry their unfolded parts elsewhere. */
  readonly #rssStride: number;
  readonly #perCpuParts: number | undefined;
  readonly #args: { argStart: number; argEnd: number; envStart: number; envEnd: number };
  readonly #exeFile: number;
  readonly #filePath: number;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const mm = kernel.types.struct('mm_struct', 'pgd', 'arg_start');
    this.#pgd = mm.offset('pgd');
    this.#totalVm = mm.offset('total_vm');
    this.#exeFile = mm.offset('exe_file');
    this.#args = {
      argStart: mm.offset('arg_start'),
      argEnd: mm.offset('arg_end'),
      envStart: mm.offset('env_start'),
      envEnd: mm.offset('env_end'),
    };
    if (mm.has('rss_stat.count')) {
      this.#rss = mm.offset('rss_stat.count');
      this.#rssStride = 8;
    } else {
      const counter = kernel.types.struct('percpu_counter', 'count');
      this.#rss = mm.offset('rss_stat') + counter.offset('count');
      this.#rssStride = counter.size;
      const parts = counter.optional('counters');
      this.#perCpuParts = parts === undefined ? undefined : parts - counter.offset('count');
    }
    this.#filePath = kernel.types.struct('file', 'f_path').offset('f_path');
  }

  residentBytes(mm: Gva): number {
    let pages = 0;
    for (const counter of residentCounters) {
      const at = mm + this.#rss + counter * this.#rssStride;
      let value = this.#kernel.space.long(at);
      if (this.#perCpuParts !== undefined) {
        value += this.#kernel.sumPerCpuInts(this.#kernel.space.pointer(at + this.#perCpuParts));
      }
      pages += Math.max(0, value);
    }
    return pages * pageBytes;
  }

  totalBytes(mm: Gva): number {
    return this.#kernel.space.count(mm + this.#totalVm) * pageBytes;
  }

  /** Address of the struct path of the executable, or 0. */
  executable(mm: Gva): Gva {
    const file = this.#kernel.space.pointer(mm + this.#exeFile);
    return file === 0 ? 0 : file + this.#filePath;
  }

  /** Reads the process's own memory; returns how many bytes were present. */
  read(mm: Gva, va: Gva, out: Uint8Array): number {
    const { space, memory, mode } = this.#kernel;
    const root = space.translate(space.pointer(mm + this.#pgd));
    if (root < 0) throw new GuestFault('the page table of the process is not mapped');
    return readUser(memory, root, mode, va, out);
  }

  /** Arguments joined by spaces (fs/proc/base.c, get_mm_cmdline); throws when they are not in memory. */
  commandLine(mm: Gva): string {
    const { space } = this.#kernel;
    const start = space.pointer(mm + this.#args.argStart);
    const end = space.pointer(mm + this.#args.argEnd);
    const envStart = space.pointer(mm + this.#args.envStart);
    const envEnd = space.pointer(mm + this.#args.envEnd);
    if (envEnd === 0 || !(start < end)) return '';
    const last = new Uint8Array(1);
    const retitled = this.read(mm, end - 1, last) === 1 && last[0] !== 0;
    const limit = retitled && envStart === end && envEnd >= envStart ? envEnd : end;
    const bytes = new Uint8Array(Math.min(limit - start, longestCommandLine));
    const got = this.read(mm, start, bytes);
    if (got === 0) throw new GuestFault('arguments are not in memory');
    return joinArguments(bytes.subarray(0, got), retitled);
  }
}

/** setproctitle overwrites the arguments with one string; else they end in NULs. */
function joinArguments(bytes: Uint8Array, retitled: boolean): string {
  let end = retitled ? bytes.indexOf(0) : bytes.length;
  if (end < 0) end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  const joined = bytes.slice(0, end);
  for (let i = 0; i < joined.length; i++) if (joined[i] === 0) joined[i] = 0x20;
  return decodeText(joined);
}
