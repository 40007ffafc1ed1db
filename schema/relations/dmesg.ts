import type { Relation } from '../vocabulary.js';

export const dmesg: Relation = {
  name: 'dmesg',
  doc: 'The printk ring buffer.',
  source: 'guest',
  columns: [
    { name: 'seq', type: 'int8', doc: 'record number' },
    { name: 'ts_ns', type: 'int8', doc: 'time since boot, ns' },
    { name: 'level', type: 'int4', doc: '0 emerg to 7 debug' },
    { name: 'facility', type: 'int4', doc: 'syslog facility' },
    { name: 'caller', type: 'text', nullable: true, doc: 'T<pid> or C<cpu>' },
    { name: 'text', type: 'text', doc: 'message' },
  ],
  keys: [['seq']],
  orders: [{ column: 'seq', descending: false }],
  estimatedRows: 200,
  example: 'select seq, ts_ns, text from dmesg order by seq limit 5',
};
