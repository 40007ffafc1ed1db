import { causeNames, pageFaultRecord as record } from '../gen/telemetry.js';
import type { Gva } from '../memory/address.js';
import { RecordColumn, SmallField } from '../scan/record-columns.js';
import { rowSource, type RowSource, type ScanRequest } from '../scan/row-source.js';
import { claim, notAsked, type ReadTask, type TaskAtContext } from '../telemetry/context-pids.js';
import { faultOrigin, type FaultLog } from '../telemetry/fault-log.js';
import type { RingReader } from '../telemetry/ring-reader.js';
import { privilegeName, signedField } from './record-fields.js';
import { ringRecords, ringRows } from './ring-records.js';

export function causeName(code: number): string {
  return causeNames[code] ?? `Exception ${code}`;
}

/** What it takes to look for the process of a record that was drained before a kernel was known. */
export interface LateLook {
  readTask: ReadTask;
  /** Guest time skipped by idling so far, ns. */
  idleNs: number;
}

/** The process of a record: as noted when it was drained, or looked for now. */
class PidFinder {
  readonly #ring: RingReader;
  readonly #log: FaultLog;
  readonly #late: LateLook | undefined;
  readonly #tasks = new Map<Gva, TaskAtContext | undefined>();

  constructor(ring: RingReader, log: FaultLog, late: LateLook | undefined) {
    this.#ring = ring;
    this.#log = log;
    this.#late = late;
  }

  find(item: number): number | null {
    const { words } = this.#ring;
    const at = item + record.seq / 4;
    const known = this.#log.pidOf(words[at + 1]! * 4294967296 + words[at]!);
    return known >= 0 ? known : known === notAsked ? this.#lookLate(item) : null;
  }

  #lookLate(item: number): number | null {
    if (!this.#late) return null;
    const { context, satpPage, instret } = faultOrigin(this.#ring, item);
    if (!this.#tasks.has(context)) this.#tasks.set(context, context < 0 ? this.#late.readTask(context) : undefined);
    const task = this.#tasks.get(context);
    return (task && claim(task, satpPage, { instret, leastIdleNs: 0, mostIdleNs: this.#late.idleNs })) ?? null;
  }
}

/** The page fault ring, one row per record. */
export function pageFaults(ring: RingReader, log: FaultLog, request: ScanRequest, late?: LateLook): RowSource {
  const half = (item: number, offset: number) => ring.words[item + (offset >>> 2)]!;
  const causeField = SmallField.half(record.cause);
  const privField = SmallField.byte(record.priv);
  const cause = (item: number) => causeField.read(ring.words, item);
  const unresolved = (item: number) =>
    half(item, record.physicalPage) === 0xffff_ffff && half(item, record.physicalPage + 4) === 0xffff_ffff;
  const pids = new PidFinder(ring, log, late);
  return rowSource(
    'page_faults',
    ringRecords(ring, request),
    {
      seq: (item) => signedField(ring, item, record.seq),
      instret: (item) => signedField(ring, item, record.instret),
      cause: (item) => causeName(cause(item)),
      scause: cause,
      fault_addr: (item) => signedField(ring, item, record.tval),
      pc: (item) => signedField(ring, item, record.pc),
      priv: (item) => privilegeName(privField.read(ring.words, item)),
      pid: (item) => pids.find(item),
      satp: (item) => signedField(ring, item, record.satp),
      physical_page: (item) => (unresolved(item) ? null : signedField(ring, item, record.physicalPage)),
    },
    ringRows(ring, request, {
      seq: RecordColumn.word(record.seq),
      instret: RecordColumn.word(record.instret),
      cause: RecordColumn.text(causeField, causeName),
      scause: RecordColumn.small(causeField),
      fault_addr: RecordColumn.word(record.tval),
      pc: RecordColumn.word(record.pc),
      priv: RecordColumn.text(privField, privilegeName),
      pid: RecordColumn.found(pids),
      satp: RecordColumn.word(record.satp),
      physical_page: RecordColumn.wordOrNull(record.physicalPage),
    }),
  );
}
