import type { Relation } from '../vocabulary.js';

export const pageFaults: Relation = {
  name: 'page_faults',
  doc: 'Page and access faults, newest history kept in the telemetry ring (262,144 records).',
  source: 'telemetry',
  columns: [
    { name: 'seq', type: 'int8', doc: 'sequence number from 0' },
    { name: 'instret', type: 'int8', doc: 'instructions retired before the faulting one' },
    { name: 'cause', type: 'text', doc: "'Load page fault', 'Store access fault', …" },
    { name: 'scause', type: 'int4', doc: 'exception code' },
    { name: 'fault_addr', type: 'int8', doc: 'faulting virtual address' },
    { name: 'pc', type: 'int8', doc: 'address of the faulting instruction' },
    { name: 'priv', type: 'text', doc: 'U, S or M: privilege before the trap' },
    { name: 'pid', type: 'int8', nullable: true, doc: 'process whose context it was, if known' },
    { name: 'satp', type: 'int8', doc: 'satp in force' },
    {
      name: 'physical_page',
      type: 'int8',
      nullable: true,
      doc: 'physical page the retried access reached; null until known',
    },
  ],
  keys: [['seq'], ['instret']],
  orders: [
    { column: 'seq', descending: false },
    { column: 'seq', descending: true },
  ],
  estimatedRows: 20000,
  example: 'select seq, cause, hex(fault_addr), hex(pc), priv from page_faults order by seq desc limit 3',
};
