import type { Relation } from '../vocabulary.js';

export const processMemoryMap: Relation = {
  name: 'process_memory_map',
  doc: 'Virtual memory areas of each process, from its maple tree.',
  source: 'guest',
  columns: [
    { name: 'pid', type: 'int8', doc: 'process id' },
    { name: 'start', type: 'int8', doc: 'first address' },
    { name: 'end', type: 'int8', doc: 'first address after the area' },
    { name: 'permissions', type: 'text', doc: 'rwxp or rwxs as in /proc/PID/maps' },
    { name: 'offset', type: 'int8', doc: 'offset in the mapped file, bytes' },
    { name: 'device', type: 'text', doc: 'major:minor, two hexadecimal digits each' },
    { name: 'inode', type: 'int8', doc: 'inode number, 0 if anonymous' },
    { name: 'path', type: 'text', doc: 'file, [heap], [stack], [vdso], [vvar] or empty' },
    { name: 'pseudo', type: 'int4', doc: '1 if path names no file' },
    { name: 'flags', type: 'int8', doc: 'vm_flags' },
    { name: 'vma_addr', type: 'int8', doc: 'address of the vm_area_struct' },
  ],
  keys: [['pid'], ['pid', 'start']],
  orders: [{ column: 'pid', descending: false }],
  estimatedRows: 600,
  example: 'select pid, start, "end", permissions, path from process_memory_map where pid = 1 order by start',
};
