import { trapRecord as record } from '../gen/telemetry.js';
import { rowSource, type RowSource, type ScanRequest } from '../scan/row-source.js';
import type { RingReader } from '../telemetry/ring-reader.js';
import { causeName } from './page-faults.js';
import { copyField, copyText, privilegeName, signedField } from './record-fields.js';
import { ringRecords } from './ring-records.js';

/** Privileged specification 20211203, table 3.6. */
const interruptNames: Record<number, string> = {
  1: 'Supervisor software interrupt',
  3: 'Machine software interrupt',
  5: 'Supervisor timer interrupt',
  7: 'Machine timer interrupt',
  9: 'Supervisor external interrupt',
  11: 'Machine external interrupt',
};
const interruptBit = 0x8000_0000;
/** Distinguishes interrupts from exceptions in one small number. */
const interruptOffset = 0x1_0000;

function trapName(key: number): string {
  return key < interruptOffset
    ? causeName(key)
    : (interruptNames[key - interruptOffset] ?? `Interrupt ${key - interruptOffset}`);
}

/** The trap ring, one row per record. */
export function traps(ring: RingReader, request: ScanRequest): RowSource {
  const isInterrupt = (item: number) => ring.words[item + record.cause / 4 + 1]! >= interruptBit;
  const code = (item: number) => ring.words[item + record.cause / 4]! & 0xffff;
  const key = (item: number) => code(item) + (isInterrupt(item) ? interruptOffset : 0);
  const byte = (offset: number) => (item: number) => (ring.words[item + (offset >>> 2)]! >>> ((offset & 3) * 8)) & 0xff;
  const from = byte(record.privFrom);
  const to = byte(record.privTo);
  return rowSource(
    'traps',
    ringRecords(ring, request),
    {
      seq: (item) => signedField(ring, item, record.seq),
      instret: (item) => signedField(ring, item, record.instret),
      is_interrupt: isInterrupt,
      code,
      cause: (item) => trapName(key(item)),
      tval: (item) => signedField(ring, item, record.tval),
      pc: (item) => signedField(ring, item, record.pc),
      priv_from: (item) => privilegeName(from(item)),
      priv_to: (item) => privilegeName(to(item)),
    },
    {
      sortedBy: { column: 'seq', descending: request.order?.descending ?? false },
      direct: {
        seq: copyField(ring, record.seq),
        instret: copyField(ring, record.instret),
        is_interrupt: (item, writer, slot) => writer.setWords(slot, isInterrupt(item) ? 1 : 0, 0),
        code: (item, writer, slot) => writer.setWords(slot, code(item), 0),
        cause: copyText(trapName, key),
        tval: copyField(ring, record.tval),
        pc: copyField(ring, record.pc),
        priv_from: copyText(privilegeName, from),
        priv_to: copyText(privilegeName, to),
      },
    },
  );
}
