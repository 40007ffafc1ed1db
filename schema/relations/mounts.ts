import type { Relation } from '../vocabulary.js';

export const mounts: Relation = {
  name: 'mounts',
  doc: 'Mounts of the initial mount namespace, as /proc/1/mounts.',
  source: 'guest',
  columns: [
    { name: 'device', type: 'text', doc: 'source' },
    { name: 'device_alias', type: 'text', doc: 'source again, for osquery queries' },
    { name: 'path', type: 'text', doc: 'mount point' },
    { name: 'type', type: 'text', doc: 'file system type' },
    { name: 'flags', type: 'text', doc: 'options as in /proc/mounts, without those of the file system itself' },
    { name: 'blocks_size', type: 'int8', doc: 'block size of the super block, bytes' },
    { name: 'mount_id', type: 'int4', doc: 'mnt_id' },
    { name: 'parent_id', type: 'int4', doc: 'mnt_id of the parent' },
    { name: 'dev', type: 'text', doc: 'major:minor' },
    { name: 'mount_addr', type: 'int8', doc: 'address of the struct mount' },
  ],
  keys: [['path']],
  orders: [],
  estimatedRows: 12,
  example: 'select device, path, type from mounts',
};
