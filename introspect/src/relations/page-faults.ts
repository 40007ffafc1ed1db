import { causeNames, pageFaultRecord as record } from '../gen/telemetry.js';
import { addressOf } from '../memory/address.js';
import { rowSource, type RowSource, type ScanRequest } from '../scan/row-source.js';
import type { FaultLog, IdentifyContext } from '../telemetry/fault-log.js';
import type { RingReader } from '../telemetry/ring-reader.js';
import { copyField, copyText, privilegeName, signedField } from './record-fields.js';
import { ringRecords } from './ring-records.js';

export function causeName(code: number): string {
  return causeNames[code] ?? `Exception ${code}`;
}

/** The page fault ring, one row per record. identify helps with contexts that were drained before a kernel was known. */
export function pageFaults(
  ring: RingReader,
  log: FaultLog,
  request: ScanRequest,
  identify?: IdentifyContext,
): RowSource {
  const half = (item: number, offset: number) => ring.words[item + (offset >>> 2)]!;
  const cause = (item: number) => half(item, record.cause) & 0xffff;
  const priv = (item: number) => (half(item, record.priv) >>> ((record.priv & 3) * 8)) & 0xff;
  const unresolved = (item: number) =>
    half(item, record.physicalPage) === 0xffff_ffff && half(item, record.physicalPage + 4) === 0xffff_ffff;
  const pid = (item: number): number | null => {
    const context = addressOf(half(item, record.context), half(item, record.context + 4));
    const seq = half(item, record.seq + 4) * 4294967296 + half(item, record.seq);
    return log.pidOf(context, seq) ?? lateIdentified(item, context);
  };
  const late = new Map<string, number | null>();
  const lateIdentified = (item: number, context: number): number | null => {
    if (!identify || !(context < 0)) return null;
    const root = (half(item, record.satp + 4) & 0xfff) * 4294967296 + half(item, record.satp);
    const key = `${context}:${root}`;
    let known = late.get(key);
    if (known === undefined) late.set(key, (known = identify(context, root) ?? null));
    return known;
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
