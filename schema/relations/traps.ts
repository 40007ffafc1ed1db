import type { Relation } from '../vocabulary.js';

export const traps: Relation = {
  name: 'traps',
  doc: 'Every trap: exceptions and interrupts, newest history kept in the telemetry ring (131,072 records).',
  source: 'telemetry',
  columns: [
    { name: 'seq', type: 'int8', doc: 'sequence number from 0' },
    { name: 'instret', type: 'int8', doc: 'instructions retired' },
    { name: 'is_interrupt', type: 'bool', doc: 'interrupt, not exception' },
    { name: 'code', type: 'int4', doc: 'cause without the interrupt bit' },
    { name: 'cause', type: 'text', doc: 'name' },
    { name: 'tval', type: 'int8', doc: 'mtval or stval' },
    { name: 'pc', type: 'int8', doc: 'epc' },
    { name: 'priv_from', type: 'text', doc: 'privilege before' },
    { name: 'priv_to', type: 'text', doc: 'privilege that handles it' },
  ],
  keys: [['seq'], ['instret']],
  orders: [
    { column: 'seq', descending: false },
    { column: 'seq', descending: true },
  ],
  estimatedRows: 50000,
  example: 'select cause, count(*) from traps group by cause order by 2 desc',
};
