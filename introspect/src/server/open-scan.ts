/** From an OPEN request to a scan that can run. */
import type { Machines } from '../machine/machines.js';
import type { Machine, MachineView } from '../machine/machine.js';
import { Budget } from '../memory/budget.js';
import { Cursor } from '../scan/cursor.js';
import { budgetOf, needsView, openSource } from '../scan/open-source.js';
import type { OpenRequest } from '../scan/parse-open.js';
import { compileQual, pinColumn, type Qual } from '../scan/qual.js';
import { ScanTask } from './scan-task.js';
import type { HeldView } from './session.js';

/** Opens a view for this scan alone when the client brought none and the relation needs one. */
export async function openScan(
  open: OpenRequest,
  request: bigint,
  machines: Machines,
  held: HeldView | undefined,
): Promise<ScanTask> {
  const startedNs = process.hrtime.bigint();
  const { relation, qual, sort } = open;
  const columnNamed = (name: string) => relation.columns.findIndex((column) => column.name === name);
  const read = new Set([...open.columns, ...columnsOf(qual), ...(sort ? [sort.column] : [])]);
  const reads = (column: string) => read.has(columnNamed(column));
  const machine = held?.machine ?? (relation.source === 'service' ? undefined : await machines.find(open.machine));
  const hold = held ? { ...held, owned: false } : await ownView(machine, needsView(relation.name, reads));
  const whole = qual.kind === 'true' && open.limit < 0;
  const budget = new Budget(budgetOf(relation.name));
  try {
    const source = await openSource(relation.name, {
      machines,
      machine,
      view: hold?.view,
      reads,
      request: {
        budget,
        pin: (column) => pinColumn(qual, columnNamed(column)),
        order: sort && { column: relation.columns[sort.column]!.name, descending: sort.descending },
      },
    });
    const plan = { relation, columns: open.columns, test: compileQual(qual), sort, limit: open.limit };
    const types = open.columns.map((column) => relation.columns[column]!.type);
    return new ScanTask({
      request,
      cursor: new Cursor(plan, source, budget),
      types,
      credit: open.credit,
      startedNs,
      hold,
      onDone: (rows) => {
        if (whole) hold?.view.link.rowCounts.set(relation.name, rows);
      },
    });
  } catch (error) {
    if (hold?.owned) hold.machine.closeView(hold.view);
    throw error;
  }
}

async function ownView(
  machine: Machine | undefined,
  needed: boolean,
): Promise<{ machine: Machine; view: MachineView; owned: boolean } | undefined> {
  if (!machine || !needed) return undefined;
  return { machine, view: await machine.openView(), owned: true };
}

function columnsOf(qual: Qual): number[] {
  switch (qual.kind) {
    case 'true':
      return [];
    case 'and':
    case 'or':
      return qual.terms.flatMap(columnsOf);
    default:
      return [qual.column];
  }
}
