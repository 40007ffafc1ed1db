import type { Relation } from '../vocabulary.js';

export const console: Relation = {
  name: 'console',
  doc: 'What the guest wrote to its consoles.',
  source: 'telemetry',
  columns: [
    { name: 'seq', type: 'int8', doc: 'record number' },
    { name: 'instret', type: 'int8', doc: 'instructions retired when the last byte was written' },
    { name: 'device', type: 'text', doc: 'uart or hvc' },
    { name: 'text', type: 'text', doc: 'output; bytes that are not UTF-8 appear as U+FFFD' },
  ],
  keys: [['seq'], ['instret']],
  orders: [{ column: 'seq', descending: false }],
  estimatedRows: 500,
  example: "select string_agg(text, '' order by seq) from console",
};
