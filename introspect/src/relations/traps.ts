import { trapRecord as record } from '../gen/telemetry.js';
import { flagValue, RecordColumn, SmallField } from '../scan/record-columns.js';
import { rowSource, type RowSource, type ScanRequest } from '../scan/row-source.js';
import type { RingReader } from '../telemetry/ring-reader.js';
import { causeName } from './page-faults.js';
import { privilegeName, signedField } from './record-fields.js';
import { ringRecords, ringRows } from './ring-records.js';

/** Privileged specification 20211203, table 3.6. */
const interruptNames: Record<number, string> = {
  1: 'Supervisor software interrupt',
  3: 'Machine software interrupt',
  5: 'Supervisor timer interrupt',
  7: 'Machine timer interrupt',
  9: 'Supervisor external interrupt',
  11: 'Machine external interrupt',
};
/** key: the cause's number, with flagValue when it is an interrupt's. */
function trapName(key: number): string {
  return key < flagValue ? causeName(key) : (interruptNames[key - flagValue] ?? `Interrupt ${key - flagValue}`);
}

/** The trap ring, one row per record. */
export function traps(ring: RingReader, request: ScanRequest): RowSource {
  const sign = SmallField.sign(record.cause);
  const code = SmallField.half(record.cause);
  const key = SmallField.halfAndSign(record.cause);
  const from = SmallField.byte(record.privFrom);
  const to = SmallField.byte(record.privTo);
  const read = (field: SmallField, item: number) => field.read(ring.words, item);
  return rowSource(
    'traps',
    ringRecords(ring, request),
    {
      seq: (item) => signedField(ring, item, record.seq),
      instret: (item) => signedField(ring, item, record.instret),
      is_interrupt: (item) => read(sign, item) !== 0,
      code: (item) => read(code, item),
      cause: (item) => trapName(read(key, item)),
      tval: (item) => signedField(ring, item, record.tval),
      pc: (item) => signedField(ring, item, record.pc),
      priv_from: (item) => privilegeName(read(from, item)),
      priv_to: (item) => privilegeName(read(to, item)),
    },
    ringRows(ring, request, {
      seq: RecordColumn.word(record.seq),
      instret: RecordColumn.word(record.instret),
      is_interrupt: RecordColumn.small(sign),
      code: RecordColumn.small(code),
      cause: RecordColumn.text(key, trapName),
      tval: RecordColumn.word(record.tval),
      pc: RecordColumn.word(record.pc),
      priv_from: RecordColumn.text(from, privilegeName),
      priv_to: RecordColumn.text(to, privilegeName),
    }),
  );
}
