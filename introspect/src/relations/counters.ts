import { counters as slots } from '../gen/telemetry.js';
import { rowSource, type RowSource } from '../scan/row-source.js';
import type { TelemetryArea } from '../telemetry/area.js';
import type { FaultLog } from '../telemetry/fault-log.js';
import { cpuTemperature } from '../telemetry/host-sensor.js';

interface Metric {
  name: string;
  value: number | null;
  unit: string;
  doc: string;
}

/** The daemon's counters, then what the service adds: rates, state, host sensor. */
export function counters(area: TelemetryArea, faults: FaultLog, ramBytes: number): RowSource {
  const hart = area.hart();
  const values = area.counters();
  const jitSlot = slots.findIndex((counter) => counter.name === 'jit_insns');
  const metrics: Metric[] = slots.map((counter, slot) => ({
    name: counter.name,
    // The hart snapshot is fresher than the slot.
    value: counter.name === 'instret' ? Number(hart.instret) : Number(values[slot]!),
    unit: counter.unit,
    doc: counter.doc,
  }));
  const committed = (name: 'pageFaults' | 'traps' | 'console') => area.ring(name).extent().committed;
  metrics.push(
    {
      name: 'hz',
      value: Number(hart.hz),
      unit: 'Hz',
      doc: 'guest instructions per host second over the last second of running',
    },
    {
      name: 'stat_jit_insns',
      value: Number(values[jitSlot]!),
      unit: 'count',
      doc: 'instructions retired by translated code',
    },
    { name: 'guest_time_ns', value: Number(hart.timeNs), unit: 'ns', doc: 'guest time since boot' },
    {
      name: 'state',
      value: hart.state,
      unit: 'state',
      doc: '0 paused, 1 running, 2 stepping, 3 poweroff, 4 waiting for PostgreSQL',
    },
    {
      name: 'generation',
      value: Number(area.generation),
      unit: 'count',
      doc: 'boots of the machine since its daemon started',
    },
    { name: 'ram_bytes', value: ramBytes, unit: 'bytes', doc: 'guest RAM' },
    {
      name: 'page_fault_records',
      value: committed('pageFaults'),
      unit: 'count',
      doc: 'records written to the page fault ring',
    },
    { name: 'trap_records', value: committed('traps'), unit: 'count', doc: 'records written to the trap ring' },
    { name: 'console_records', value: committed('console'), unit: 'count', doc: 'records written to the console ring' },
    {
      name: 'page_faults_missed',
      value: faults.missed,
      unit: 'count',
      doc: 'page faults overwritten before the service counted them',
    },
    {
      name: 'cpu_temp',
      value: cpuTemperature(),
      unit: 'degC',
      doc: 'host processor temperature; null without a sensor',
    },
  );
  return rowSource('counters', metrics, {
    metric: (metric) => metric.name,
    value: (metric) => metric.value,
    unit: (metric) => metric.unit,
    doc: (metric) => metric.doc,
  });
}
