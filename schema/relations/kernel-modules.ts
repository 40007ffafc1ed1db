import type { Relation } from '../vocabulary.js';

export const kernelModules: Relation = {
  name: 'kernel_modules',
  doc: 'Loaded modules.',
  source: 'guest',
  columns: [
    { name: 'name', type: 'text', doc: 'module name' },
    { name: 'size', type: 'int8', doc: 'bytes of core and init parts' },
    { name: 'used_by', type: 'text', doc: 'modules that use it, comma-separated' },
    { name: 'status', type: 'text', doc: 'Live, Loading or Unloading' },
    { name: 'address', type: 'int8', doc: 'base address' },
    { name: 'refcount', type: 'int4', doc: 'reference count' },
    { name: 'taints', type: 'text', nullable: true, doc: 'taint flags' },
  ],
  keys: [['name']],
  orders: [],
  estimatedRows: 4,
  example: 'select name, size, status from kernel_modules',
};
