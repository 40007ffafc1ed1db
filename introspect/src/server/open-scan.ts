/** From an OPEN request to a scan that can run. */
import type { Machines } from '../machine/machines.js';
import type { Machine, MachineView } from '../machine/machine.js';
import { Budget } from '../memory/budget.js';
import { Cursor } from '../scan/cursor.js';
import { budgetOf, needsView, openSource } from '../scan/open-source.js';
import type { OpenRequest, ScanPlan } from '../scan/parse-open.js';
import { pinColumn } from '../scan/qual.js';
import type { RowSource } from '../scan/row-source.js';
import type { FramePool } from './frame-pool.js';
import { ScanTask } from './scan-task.js';
import type { HeldView } from './session.js';

/** The view a scan reads under; owned: opened for it alone, and closed with it. */
interface Hold {
  machine: Machine;
  view: MachineView;
  owned: boolean;
}

/** What a scan is opened with, besides its view. */
interface Opening {
  plan: ScanPlan;
  credit: number;
  request: bigint;
  machines: Machines;
  machine: Machine | undefined;
  pool: FramePool;
  /** performance.now() */
  startedMs: number;
}

/**
 * Opens a view for this scan alone when the client brought none and the relation needs one. A promise only
 * where something has to be waited for: a scan that can run runs at once.
 */
export function openScan(
  open: OpenRequest,
  request: bigint,
  machines: Machines,
  held: HeldView | undefined,
  pool: FramePool,
): ScanTask | Promise<ScanTask> {
  const { plan, credit } = open;
  const opening = { plan, credit, request, machines, pool, startedMs: performance.now() };
  if (held) return openUnder({ ...opening, machine: held.machine }, { ...held, owned: false });
  if (plan.relation.source === 'service') return openUnder({ ...opening, machine: undefined }, undefined);
  const known = machines.known(open.machine);
  const view = known && wantsView(plan) ? known.sharedView() : undefined;
  if (known && view) return openUnder({ ...opening, machine: known }, { machine: known, view, owned: true });
  return openOnce(opening, open.machine);
}

async function openOnce(opening: Omit<Opening, 'machine'>, name: string): Promise<ScanTask> {
  const machine = await opening.machines.find(name);
  const hold = wantsView(opening.plan) ? { machine, view: await machine.openView(), owned: true } : undefined;
  return openUnder({ ...opening, machine }, hold);
}

function wantsView({ relation, read }: ScanPlan): boolean {
  return needsView(relation.name, (column) => read.has(columnNamed(relation, column)));
}

function columnNamed(relation: ScanPlan['relation'], name: string): number {
  return relation.columns.findIndex((column) => column.name === name);
}

function openUnder(opening: Opening, hold: Hold | undefined): ScanTask | Promise<ScanTask> {
  const { plan, machines, machine } = opening;
  const { relation, qual, sort } = plan;
  const budget = new Budget(budgetOf(relation.name));
  const abandon = (error: unknown): never => {
    if (hold?.owned) hold.machine.closeView(hold.view);
    throw error;
  };
  try {
    const source = openSource(relation.name, {
      machines,
      machine,
      view: hold?.view,
      reads: (column) => plan.read.has(columnNamed(relation, column)),
      request: {
        budget,
        pin: (column) => pinColumn(qual, columnNamed(relation, column)),
        order: sort && { column: relation.columns[sort.column]!.name, descending: sort.descending },
      },
    });
    if (!(source instanceof Promise)) return makeTask(opening, hold, budget, source);
    return source.then((opened) => makeTask(opening, hold, budget, opened)).catch(abandon);
  } catch (error) {
    return abandon(error);
  }
}

function makeTask(
  { plan, credit, request, pool, startedMs }: Opening,
  hold: Hold | undefined,
  budget: Budget,
  source: RowSource,
): ScanTask {
  const whole = plan.test === undefined && plan.limit < 0;
  return new ScanTask({
    request,
    cursor: new Cursor(plan, source, budget),
    types: plan.types,
    credit,
    pool,
    startedMs,
    hold,
    onDone: (rows) => {
      if (whole) hold?.view.link.rowCounts.set(plan.relation.name, rows);
    },
  });
}
