/**
 * From raw RAM to a readable kernel: BTF, kallsyms, then the root page table, each checked against the
 * others. Nothing about the kernel is known beforehand; the image is looked for where riscv loads it first.
 */
import { locateBtf, type LocatedBtf } from '../btf/locate.js';
import { Types } from '../btf/layout.js';
import { locateKallsyms } from '../kallsyms/locate.js';
import { decodeSymbols, type Symbols } from '../kallsyms/symbols.js';
import { introspectError } from '../errors.js';
import { pageMask, type Gpa, type Gva } from '../memory/address.js';
import { AddressSpace, decodeText, type DirectRange } from '../memory/address-space.js';
import type { Extent, GuestMemory } from '../memory/guest-memory.js';
import { walkPage, type PagingMode } from '../memory/page-table.js';
import { Kernel } from './kernel.js';

/** Documentation/riscv/boot-image-header.rst: the image lies 2 MiB above RAM's start or higher. */
const imageWindow = { start: 0x20_0000, end: 0x20_0000 + 96 * 1024 * 1024 };
const searchBytes = 512 * 1024 * 1024;
/** What is looked at has to be loaded first, so no more than needed is. */
const searchLoadingBytes = 4 * 1024 * 1024;
const sectionBytes = 2 * 1024 * 1024;
const notYet = 'let the machine run further, for example with vm_step_until';

/** Throws an IntrospectError: 55000 with the reason when RAM holds no kernel that can be read yet. */
export function attach(memory: GuestMemory): Kernel {
  const extents = searchOrder(memory);
  const located = first(extents, (start, end) => locateBtf(memory, start, end));
  if (!located) {
    throw introspectError('kernelNotFound', 'no kernel type information (BTF) was found in guest memory', notYet);
  }
  const symbols = findSymbols(memory, extents);
  const delta = imageDelta(symbols, located);
  const { root, mode } = locateRoot(memory, symbols, located, delta);
  const image = imageRange(symbols, delta);
  const probe = new AddressSpace(memory, root, mode, [image]);
  const types = new Types(located.btf);
  const linear = linearRange(memory, types, symbols, probe, mode);
  const space = new AddressSpace(memory, root, mode, linear ? [linear, image] : [image]);
  return new Kernel({ memory, types, symbols, space, mode, banner: readBanner(symbols, space), btf: located });
}

/** The symbol table alone; throws IntrospectError when there is none. */
export function findSymbols(memory: GuestMemory, extents = searchOrder(memory)): Symbols {
  const tables = first(extents, (start, end) => locateKallsyms(memory, start, end));
  const symbols = tables && decodeSymbols(tables);
  if (symbols) return symbols;
  throw introspectError('kernelNotFound', 'no kernel symbol table (kallsyms) was found in guest memory', notYet);
}

/** The image's window first, then whatever else is populated; holes are never touched. */
function searchOrder(memory: GuestMemory): Extent[] {
  const populated = memory.populated();
  const clip = (low: number, high: number): Extent[] =>
    populated
      .map(({ start, end }) => ({ start: Math.max(start, low), end: Math.min(end, high) }))
      .filter(({ start, end }) => start < end);
  return [
    ...clip(imageWindow.start, imageWindow.end),
    ...clip(imageWindow.end, memory.size),
    ...clip(0, imageWindow.start),
  ].flatMap(({ start, end }) =>
    pieces(memory.base + start, memory.base + end, memory.loading ? searchLoadingBytes : searchBytes),
  );
}

/** A search looks at one buffer, which has its limits; the pieces overlap by more than a signature. */
function pieces(start: Gpa, end: Gpa, bytes: number): Extent[] {
  const count = Math.ceil((end - start) / bytes);
  return Array.from({ length: count }, (_, i) => ({
    start: start + i * bytes,
    end: Math.min(start + (i + 1) * bytes + 64, end),
  }));
}

function first<T>(extents: Extent[], locate: (start: Gpa, end: Gpa) => T | undefined): T | undefined {
  for (const { start, end } of extents) {
    const found = locate(start, end);
    if (found) return found;
  }
  return undefined;
}

/** VA minus PA of the kernel image: the symbol that starts the BTF section, less where the section was found. */
function imageDelta(symbols: Symbols, located: LocatedBtf): number {
  const start = symbols.lookup('__start_BTF');
  if (start === undefined || ((start - located.pa) & pageMask) !== 0) {
    throw introspectError(
      'kernelNotFound',
      'the symbol table found in guest memory does not fit the type information',
      notYet,
    );
  }
  return start - located.pa;
}

function locateRoot(
  memory: GuestMemory,
  symbols: Symbols,
  located: LocatedBtf,
  delta: number,
): { root: Gpa; mode: PagingMode } {
  const swapper = symbols.lookup('swapper_pg_dir');
  if (swapper === undefined) throw introspectError('kernelNotFound', 'the kernel has no symbol swapper_pg_dir', '');
  const root = swapper - delta;
  const page = located.pa - (located.pa & pageMask);
  for (const mode of ['sv48', 'sv39'] as const) {
    if (walkPage(memory, root, mode, page + delta) === page) return { root, mode };
  }
  throw introspectError('kernelNotReady', 'the kernel has not set up its tables yet', notYet);
}

function imageRange(symbols: Symbols, delta: number): DirectRange {
  const start = symbols.lookup('_start') ?? symbols.lookup('_stext') ?? symbols.address(0);
  const end = symbols.lookup('_end') ?? symbols.address(symbols.count - 1);
  return { start, end: Math.max(start, end), delta };
}

/**
 * The linear map as kernel_map describes it, kept only where the page table agrees: one probe every 2 MiB,
 * from the first to the last that fits. Undefined when the kernel has no such variable; page walks then do.
 */
function linearRange(
  memory: GuestMemory,
  types: Types,
  symbols: Symbols,
  probe: AddressSpace,
  mode: PagingMode,
): DirectRange | undefined {
  const map = symbols.lookup('kernel_map');
  if (map === undefined || !types.hasStruct('kernel_mapping')) return undefined;
  const layout = types.struct('kernel_mapping');
  if (!layout.has('va_pa_offset')) return undefined;
  const delta = probe.pointer(map + layout.offset('va_pa_offset'));
  if (!Number.isSafeInteger(delta)) return undefined;
  let start: Gva | undefined;
  let end: Gva = NaN;
  for (let pa = memory.base; pa < memory.end; pa += sectionBytes) {
    const last = Math.min(pa + sectionBytes, memory.end) - 4096;
    const fits =
      walkPage(memory, probe.root, mode, pa + delta) === pa &&
      walkPage(memory, probe.root, mode, last + delta) === last;
    if (fits) {
      start ??= pa + delta;
      end = last + 4096 + delta;
    } else if (start !== undefined) {
      break;
    }
  }
  return start === undefined ? undefined : { start, end, delta };
}

function readBanner(symbols: Symbols, space: AddressSpace): string {
  const banner = symbols.lookup('linux_banner');
  if (banner === undefined) return 'Linux';
  const bytes = new Uint8Array(512);
  const got = space.readInto(banner, bytes);
  const end = bytes.subarray(0, got).indexOf(0);
  return decodeText(bytes.subarray(0, end < 0 ? got : end)).trim();
}
