import { causeNames, pageFaultRecord as record } from '../gen/telemetry.js';
import type { Gva } from '../memory/address.js';
import { rowSource, type RowSource, type ScanRequest } from '../scan/row-source.js';
import { claim, notAsked, type ReadTask, type TaskAtContext } from '../telemetry/context-pids.js';
import { faultOrigin, type FaultLog } from '../telemetry/fault-log.js';
import type { RingReader } from '../telemetry/ring-reader.js';
import { copyField, copyText, privilegeName, signedField } from './record-fields.js';
import { ringRecords } from './ring-records.js';

export function causeName(code: number): string {
  return causeNames[code] ?? `Exception ${code}`;
}

/** What it takes to look for the process of a record that was drained before a kernel was known. */
export interface LateLook {
  readTask: ReadTask;
  /** Guest time skipped by idling so far, ns. */
  idleNs: number;
}

/** The page fault ring, one row per record. */
export function pageFaults(ring: RingReader, log: FaultLog, request: ScanRequest, late?: LateLook): RowSource {
  const half = (item: number, offset: number) => ring.words[item + (offset >>> 2)]!;
  const cause = (item: number) => half(item, record.cause) & 0xffff;
  const priv = (item: number) => (half(item, record.priv) >>> ((record.priv & 3) * 8)) & 0xff;
  const unresolved = (item: number) =>
    half(item, record.physicalPage) === 0xffff_ffff && half(item, record.physicalPage + 4) === 0xffff_ffff;
  const tasks = new Map<Gva, TaskAtContext | undefined>();
  const lookLate = (item: number): number | null => {
    if (!late) return null;
    const { context, satpPage, instret } = faultOrigin(ring, item);
    if (!tasks.has(context)) tasks.set(context, context < 0 ? late.readTask(context) : undefined);
    const task = tasks.get(context);
    return (task && claim(task, satpPage, { instret, leastIdleNs: 0, mostIdleNs: late.idleNs })) ?? null;
  };
  const pid = (item: number): number | null => {
    const known = log.pidOf(half(item, record.seq + 4) * 4294967296 + half(item, record.seq));
    return known >= 0 ? known : known === notAsked ? lookLate(item) : null;
  };
  const page = copyField(ring, record.physicalPage);
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
      priv: (item) => privilegeName(priv(item)),
      pid,
      satp: (item) => signedField(ring, item, record.satp),
      physical_page: (item) => (unresolved(item) ? null : signedField(ring, item, record.physicalPage)),
    },
    {
      sortedBy: { column: 'seq', descending: request.order?.descending ?? false },
      direct: {
        seq: copyField(ring, record.seq),
        instret: copyField(ring, record.instret),
        cause: copyText(causeName, cause),
        scause: (item, writer, slot) => writer.setWords(slot, cause(item), 0),
        fault_addr: copyField(ring, record.tval),
        pc: copyField(ring, record.pc),
        priv: copyText(privilegeName, priv),
        pid: (item, writer, slot) => {
          const known = pid(item);
          if (known === null) writer.setNull(slot);
          else writer.setWords(slot, known, 0);
        },
        satp: copyField(ring, record.satp),
        physical_page: (item, writer, slot) => {
          if (unresolved(item)) writer.setNull(slot);
          else page(item, writer, slot);
        },
      },
    },
  );
}
