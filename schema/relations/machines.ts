import type { Relation } from '../vocabulary.js';

export const machines: Relation = {
  name: 'machines',
  doc: 'Machines whose daemon the service can reach.',
  source: 'service',
  columns: [
    { name: 'machine', type: 'text', doc: 'name' },
    { name: 'state', type: 'text', doc: 'paused, running, stepping, poweroff, waiting or unreachable' },
    { name: 'instret', type: 'int8', nullable: true, doc: 'instructions retired' },
    { name: 'pc', type: 'int8', nullable: true, doc: 'program counter' },
    { name: 'guest_time_ns', type: 'int8', nullable: true, doc: 'guest time since boot, ns' },
    { name: 'memory_bytes', type: 'int8', nullable: true, doc: 'guest RAM' },
    { name: 'hz', type: 'int8', nullable: true, doc: 'instructions per host second over the last second of running' },
    { name: 'kernel', type: 'text', nullable: true, doc: 'banner found in guest RAM' },
    { name: 'symbols', type: 'text', nullable: true, doc: 'where types and symbols were found, or why not yet' },
    { name: 'daemon_pid', type: 'int4', nullable: true, doc: 'host process id' },
  ],
  keys: [['machine']],
  orders: [],
  estimatedRows: 2,
  example: 'select machine, state, instret from machines',
};
