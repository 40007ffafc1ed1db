import type { Relation } from '../vocabulary.js';

export const processOpenFiles: Relation = {
  name: 'process_open_files',
  doc: 'Open file descriptors of each process.',
  source: 'guest',
  columns: [
    { name: 'pid', type: 'int8', doc: 'process id' },
    { name: 'fd', type: 'int8', doc: 'file descriptor' },
    { name: 'path', type: 'text', doc: 'as readlink /proc/PID/fd/FD shows it' },
    { name: 'type', type: 'text', doc: 'regular, directory, character, block, fifo, socket, link or anon' },
    { name: 'pos', type: 'int8', doc: 'file position' },
    { name: 'flags', type: 'int8', doc: 'f_flags' },
    { name: 'mode', type: 'int8', nullable: true, doc: 'inode mode' },
    { name: 'inode', type: 'int8', nullable: true, doc: 'inode number' },
    { name: 'device', type: 'text', nullable: true, doc: 'major:minor of the file system' },
    { name: 'file_addr', type: 'int8', doc: 'address of the struct file' },
  ],
  keys: [['pid'], ['pid', 'fd']],
  orders: [{ column: 'pid', descending: false }],
  estimatedRows: 100,
  example: 'select pid, fd, path, type from process_open_files where pid = 1 order by fd',
};
