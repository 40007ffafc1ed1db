import type { Relation } from '../vocabulary.js';

export const kernelSymbols: Relation = {
  name: 'kernel_symbols',
  doc: 'kallsyms: every kernel symbol, found in guest RAM.',
  source: 'guest',
  columns: [
    { name: 'name', type: 'text', doc: 'symbol' },
    { name: 'addr', type: 'int8', doc: 'address' },
    { name: 'type', type: 'text', doc: 'nm letter' },
    { name: 'size', type: 'int8', nullable: true, doc: 'bytes to the next symbol' },
    { name: 'module', type: 'text', nullable: true, doc: 'module it belongs to, null for the kernel' },
  ],
  keys: [['name'], ['addr']],
  orders: [{ column: 'addr', descending: false }],
  estimatedRows: 31000,
  example: "select name, hex(addr), type from kernel_symbols where name = 'init_task'",
};
