import { counters as daemonCounters } from '../gen/telemetry.js';
import { rowSource, type RowSource } from '../scan/row-source.js';
import type { MachineView } from '../machine/machine.js';
import type { RingName, TelemetryArea } from '../telemetry/area.js';
import type { FaultLog } from '../telemetry/fault-log.js';
import type { HartState } from '../telemetry/hart.js';
import { cpuTemperature } from '../telemetry/host-sensor.js';

interface Metric {
  name: string;
  value: number | null;
  unit: string;
  doc: string;
}

interface Sources {
  area: TelemetryArea;
  hart: HartState;
  faults: FaultLog;
  ramBytes: number;
  view: MachineView | undefined;
  /** Values of the daemon's counters by name. */
  slots: ReadonlyMap<string, number>;
}

type Added = [name: string, unit: string, doc: string, value: (from: Sources) => number | null];

const written = ({ area, view }: Sources, ring: RingName) => area.ring(ring, view?.rings[ring]).extent().committed;

/** What the service adds to the daemon's counters: rates, state, host sensor. */
const added: Added[] = [
  ['hz', 'Hz', 'guest instructions per host second over the last second of running', ({ hart }) => Number(hart.hz)],
  ['stat_jit_insns', 'count', 'instructions retired by translated code', ({ slots }) => slots.get('jit_insns') ?? null],
  ['guest_time_ns', 'ns', 'guest time since boot', ({ hart }) => Number(hart.timeNs)],
  ['state', 'state', '0 paused, 1 running, 2 stepping, 3 poweroff, 4 waiting for PostgreSQL', ({ hart }) => hart.state],
  ['generation', 'count', 'boots of the machine since its daemon started', ({ area }) => Number(area.generation)],
  ['ram_bytes', 'bytes', 'guest RAM', ({ ramBytes }) => ramBytes],
  ['page_fault_records', 'count', 'records written to the page fault ring', (from) => written(from, 'pageFaults')],
  ['trap_records', 'count', 'records written to the trap ring', (from) => written(from, 'traps')],
  ['console_records', 'count', 'records written to the console ring', (from) => written(from, 'console')],
  ['page_faults_missed', 'count', 'page faults overwritten before they were counted', ({ faults }) => faults.missed],
  ['cpu_temp', 'degC', 'host processor temperature; null without a sensor', () => cpuTemperature()],
];

/** The daemon's counters, as of the view if there is one, then the service's. */
export function counters(area: TelemetryArea, faults: FaultLog, ramBytes: number, view?: MachineView): RowSource {
  const hart = view ? view.hart : area.hart();
  const values = view ? view.counters : area.counters();
  const own: Metric[] = daemonCounters.map(({ name, unit, doc }, slot) => ({
    name,
    // The hart snapshot is fresher than the slot.
    value: name === 'instret' ? Number(hart.instret) : Number(values[slot]!),
    unit,
    doc,
  }));
  const from: Sources = {
    area,
    hart,
    faults,
    ramBytes,
    view,
    slots: new Map(own.map(({ name, value }) => [name, value ?? 0])),
  };
  const more = added.map(([name, unit, doc, value]): Metric => ({ name, unit, doc, value: value(from) }));
  return rowSource('counters', [...own, ...more], {
    metric: (metric) => metric.name,
    value: (metric) => metric.value,
    unit: (metric) => metric.unit,
    doc: (metric) => metric.doc,
  });
}
