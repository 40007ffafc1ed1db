import { LayoutError } from '../btf/layout.js';
import type { Symbols } from '../kallsyms/symbols.js';
import type { Kernel } from '../kernel/kernel.js';
import { Modules, type ModuleSymbol } from '../kernel/module.js';
import { rowSource, type ColumnReaders, type RowSource, type ScanRequest } from '../scan/row-source.js';

/** A symbol of the kernel by index, or one of a module. */
type Item = number | ModuleSymbol;

type Readers = ColumnReaders<'kernel_symbols', Item>;

/** Made once for a table: what is made anew for each scan is compiled anew for each. */
const made = new WeakMap<Symbols, Readers>();

function readersOf(symbols: Symbols): Readers {
  let readers = made.get(symbols);
  if (!readers) {
    readers = {
      name: (item) => (typeof item === 'number' ? symbols.name(item) : item.name),
      addr: (item) => (typeof item === 'number' ? symbols.address(item) : item.address),
      type: (item) => (typeof item === 'number' ? symbols.type(item) : item.type),
      size: (item) => (typeof item === 'number' ? (symbols.size(item) ?? null) : item.size || null),
      module: (item) => (typeof item === 'number' ? null : item.module),
    };
    made.set(symbols, readers);
  }
  return readers;
}

/** kallsyms, then the modules' own tables; the latter only once there is a kernel to be read. */
export function kernelSymbols(symbols: Symbols, kernel: Kernel | undefined, request: ScanRequest): RowSource {
  return rowSource('kernel_symbols', allSymbols(symbols, kernel, request), readersOf(symbols));
}

function* allSymbols(symbols: Symbols, kernel: Kernel | undefined, request: ScanRequest): Generator<Item> {
  const names = request.pin('name').values;
  if (names) for (const name of names) yield* symbols.named(String(name));
  else yield* symbolsWithin(symbols, request);
  if (kernel) yield* moduleSymbols(kernel, request);
}

function* symbolsWithin(symbols: Symbols, request: ScanRequest): Generator<number> {
  const addresses = request.pin('addr');
  const end = addresses.high === Infinity ? symbols.count : symbols.lowerBound(addresses.high + 1);
  const start = addresses.low === -Infinity ? 0 : symbols.lowerBound(addresses.low);
  for (let symbol = start; symbol < end; symbol++) {
    request.budget.take();
    yield symbol;
  }
}

function* moduleSymbols(kernel: Kernel, request: ScanRequest): Generator<ModuleSymbol> {
  let modules: Modules;
  try {
    modules = kernel.decoder(Modules);
  } catch (error) {
    // A kernel built without modules has no such list; one before its first page table cannot be asked.
    if (error instanceof LayoutError) return;
    throw error;
  }
  for (const module of modules.all(request.budget)) yield* modules.symbols(module, request.budget);
}
