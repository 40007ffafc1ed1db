import { FileObjects } from '../kernel/file.js';
import type { Kernel } from '../kernel/kernel.js';
import { Sockets } from '../kernel/socket.js';
import { TaskList } from '../kernel/task-list.js';
import type { Gva } from '../memory/address.js';
import { rowSource, type ColumnReaders, type RowSource, type ScanRequest } from '../scan/row-source.js';
import { bySortedPid } from './sorted-pids.js';

interface OpenSocket {
  pid: number;
  fd: number;
  inode: Gva;
  socket: Gva;
  sock: Gva;
}

/** Made once for a kernel: what is made anew for each scan is compiled anew for each. */
class Columns {
  readonly readers: ColumnReaders<'process_open_sockets', OpenSocket>;

  constructor(kernel: Kernel) {
    const files = kernel.decoder(FileObjects);
    const sockets = kernel.decoder(Sockets);
    this.readers = {
      pid: (item) => item.pid,
      fd: (item) => item.fd,
      inode: (item) => files.inodeNumber(item.inode),
      family: (item) => sockets.family(item.sock),
      type: (item) => sockets.type(item.socket),
      protocol: (item) => sockets.protocol(item.sock),
      state: (item) => sockets.state(item.sock),
      local_address: (item) => sockets.localAddress(item.sock),
      local_port: (item) => sockets.localPort(item.sock),
      remote_address: (item) => sockets.remoteAddress(item.sock),
      remote_port: (item) => sockets.remotePort(item.sock),
      path: (item) => sockets.path(item.sock),
      sock_addr: (item) => item.sock,
    };
  }
}

/** One row per descriptor that is a socket. */
export function processOpenSockets(kernel: Kernel, request: ScanRequest): RowSource {
  const { readers } = kernel.decoder(Columns);
  return rowSource('process_open_sockets', openSockets(kernel, request), readers, {
    sortedBy: { column: 'pid', descending: false },
  });
}

function* openSockets(kernel: Kernel, request: ScanRequest): Generator<OpenSocket> {
  const files = kernel.decoder(FileObjects);
  const sockets = kernel.decoder(Sockets);
  for (const task of bySortedPid(kernel.decoder(TaskList), request)) {
    if (task.files === 0) continue;
    for (const { fd, file } of files.descriptors(task.files, request.budget)) {
      const inode = files.inode(file);
      if (files.typeName(inode) !== 'socket') continue;
      const { socket, sock } = sockets.ofInode(inode);
      if (sock !== 0) yield { pid: task.tgid, fd, inode, socket, sock };
    }
  }
}
