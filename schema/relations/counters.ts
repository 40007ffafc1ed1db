import type { Relation } from '../vocabulary.js';

export const counters: Relation = {
  name: 'counters',
  doc: 'Counters of the daemon and the hart: the dashboard.',
  source: 'telemetry',
  columns: [
    { name: 'metric', type: 'text', doc: 'name' },
    { name: 'value', type: 'float8', nullable: true, doc: 'value; null where it cannot be had here' },
    { name: 'unit', type: 'text', doc: 'count, bytes, ns, pages, Hz, degC or state' },
    { name: 'doc', type: 'text', doc: 'what it counts' },
  ],
  keys: [['metric']],
  orders: [],
  estimatedRows: 105,
  example: "select metric, value from counters where metric like 'jit_exit_%' and value > 0",
};
