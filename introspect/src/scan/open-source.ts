/** Opens the row source of a relation: what it needs of the machine, and what it may cost. */
import { LayoutError } from '../btf/layout.js';
import { introspectError } from '../errors.js';
import type { RelationName } from '../gen/relations.js';
import { taskReader } from '../kernel/identify.js';
import type { Kernel } from '../kernel/kernel.js';
import { idleNs, type Link, type Machine, type MachineView } from '../machine/machine.js';
import type { Machines } from '../machine/machines.js';
import { GuestFault } from '../memory/guest-fault.js';
import { console } from '../relations/console.js';
import { counters } from '../relations/counters.js';
import { dmesg } from '../relations/dmesg.js';
import { kernelModules } from '../relations/kernel-modules.js';
import { kernelSymbols } from '../relations/kernel-symbols.js';
import { machines } from '../relations/machines.js';
import { mmuHotspots } from '../relations/mmu-hotspots.js';
import { mounts } from '../relations/mounts.js';
import { pageFaults } from '../relations/page-faults.js';
import { processMemoryMap } from '../relations/process-memory-map.js';
import { processOpenFiles } from '../relations/process-open-files.js';
import { processOpenSockets } from '../relations/process-open-sockets.js';
import { processes } from '../relations/processes.js';
import { threads } from '../relations/threads.js';
import { traps } from '../relations/traps.js';
import type { RingName } from '../telemetry/area.js';
import type { RingReader } from '../telemetry/ring-reader.js';
import type { RowSource, ScanRequest } from './row-source.js';

export interface SourceContext {
  machines: Machines;
  /** Absent for relations of the service itself. */
  machine: Machine | undefined;
  /** Present for relations that need one, and whenever the client holds one. */
  view: MachineView | undefined;
  request: ScanRequest;
  /** Whether the scan reads this column. */
  reads: (column: string) => boolean;
}

type GuestRelation = (kernel: Kernel, request: ScanRequest, view: MachineView) => RowSource;
/** A promise only where something has to be waited for. */
type OtherRelation = (context: SourceContext) => RowSource | Promise<RowSource>;

/** Steps a scan may take in all; generous for any sound guest. */
const budgets = { guest: 8_000_000, telemetry: 4_000_000 };

const guestRelations: Partial<Record<RelationName, GuestRelation>> = {
  processes,
  threads: (kernel, request, view) => threads(kernel, request, view.hart),
  process_memory_map: processMemoryMap,
  process_open_files: processOpenFiles,
  process_open_sockets: processOpenSockets,
  mounts,
  kernel_modules: kernelModules,
  dmesg,
};

/** Relations that do not need a kernel that can be read. */
const otherRelations: Partial<Record<RelationName, OtherRelation>> = {
  page_faults: openPageFaults,
  traps: async (context) => traps(await ringOf(context, 'traps'), context.request),
  kernel_symbols: openKernelSymbols,
  console: async (context) => console(await ringOf(context, 'console'), context.request),
  mmu_hotspots: async ({ machine, view, request }) => {
    const link = view ? view.link : await linkOf(machine);
    const kernel = view ? link.keeper.atOrNone(view) : link.keeper.glance(link.mapping.telemetry.generation);
    link.drain(kernel, view);
    const spots = view ? (view.hotSpots ??= link.faults.hotSpots()) : link.faults.hotSpots();
    return mmuHotspots(spots, link.faults.overflowed, request);
  },
  counters: async ({ machine, view }) => {
    const { mapping, faults } = view ? view.link : await linkOf(machine);
    return counters(mapping.telemetry, faults, mapping.memory.size, view);
  },
  machines: ({ machines: known, request }) => machines(known, request),
};

export function budgetOf(relation: RelationName): number {
  return guestRelations[relation] ? budgets.guest : budgets.telemetry;
}

/** Whether a scan of these columns has to see guest memory at one instant. */
export function needsView(relation: RelationName, reads: (column: string) => boolean): boolean {
  const always = guestRelations[relation] !== undefined || relation === 'kernel_symbols';
  return always || (relation === 'page_faults' && reads('pid'));
}

function linkOf(machine: Machine | undefined): Promise<Link> {
  if (!machine) throw introspectError('internal', 'a relation of a machine was opened without one');
  return machine.link();
}

async function ringOf({ machine, view }: SourceContext, name: RingName): Promise<RingReader> {
  const link = view ? view.link : await linkOf(machine);
  return link.mapping.telemetry.ring(name, view?.rings[name]);
}

/** Throws IntrospectError with what the user can do about it. */
export function openSource(relation: RelationName, context: SourceContext): RowSource | Promise<RowSource> {
  const guest = guestRelations[relation];
  if (guest) return openGuest(relation, guest, context);
  const open = otherRelations[relation];
  if (!open) throw introspectError('relationUnknown', `relation "${relation}" has no reader`);
  return open(context);
}

function openGuest(relation: RelationName, open: GuestRelation, { view, request }: SourceContext): RowSource {
  if (!view) throw introspectError('internal', `relation ${relation} was opened without a view`);
  const kernel = view.link.keeper.at(view);
  try {
    return open(kernel, request, view);
  } catch (error) {
    if (error instanceof LayoutError) {
      throw introspectError('layout', `relation ${relation} cannot be read from this kernel`, '', error.message);
    }
    if (error instanceof GuestFault) {
      const hint = 'let the machine run further, for example with vm_step_until';
      throw introspectError('kernelNotReady', `relation ${relation} cannot be read now`, hint, error.message);
    }
    throw error;
  }
}

/** The symbols lie in the image, so they can be read before the kernel runs. */
function openKernelSymbols({ view, request }: SourceContext): RowSource {
  if (!view) throw introspectError('internal', 'kernel_symbols was opened without a view');
  const { keeper } = view.link;
  return kernelSymbols(keeper.symbolsAt(view), keeper.atOrNone(view), request);
}

async function openPageFaults({ machine, view, request, reads }: SourceContext): Promise<RowSource> {
  const link = view ? view.link : await linkOf(machine);
  const kernel =
    view && reads('pid') ? link.keeper.atOrNone(view) : link.keeper.glance(link.mapping.telemetry.generation);
  link.drain(kernel, view);
  const { telemetry } = link.mapping;
  const readTask = kernel && reads('pid') ? taskReader(kernel) : undefined;
  const late = readTask && { readTask, idleNs: idleNs(view ? view.hart : telemetry.hart()) };
  return pageFaults(telemetry.ring('pageFaults', view?.rings.pageFaults), link.faults, request, late);
}
