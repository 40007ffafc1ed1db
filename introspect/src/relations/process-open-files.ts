import { deviceNumbers, FileObjects } from '../kernel/file.js';
import type { Kernel } from '../kernel/kernel.js';
import { Paths } from '../kernel/path.js';
import { TaskList } from '../kernel/task-list.js';
import { rowSource, type ColumnReaders, type RowSource, type ScanRequest } from '../scan/row-source.js';
import { bySortedPid } from './sorted-pids.js';

interface OpenFile {
  pid: number;
  fd: number;
  file: number;
}

/** Made once for a kernel: what is made anew for each scan is compiled anew for each. */
class Columns {
  readonly readers: ColumnReaders<'process_open_files', OpenFile>;

  constructor(kernel: Kernel) {
    const files = kernel.decoder(FileObjects);
    const paths = kernel.decoder(Paths);
    this.readers = {
      pid: (item) => item.pid,
      fd: (item) => item.fd,
      path: (item) => paths.ofPath(files.pathOf(item.file)) ?? '',
      type: (item) => files.typeName(files.inode(item.file)),
      pos: (item) => files.position(item.file),
      flags: (item) => files.flags(item.file),
      mode: (item) => files.mode(files.inode(item.file)),
      inode: (item) => files.inodeNumber(files.inode(item.file)),
      device: (item) => {
        const { major, minor } = deviceNumbers(files.device(files.inode(item.file)));
        return `${major}:${minor}`;
      },
      file_addr: (item) => item.file,
    };
  }
}

/** One row per descriptor of every process. */
export function processOpenFiles(kernel: Kernel, request: ScanRequest): RowSource {
  const { readers } = kernel.decoder(Columns);
  return rowSource('process_open_files', openFiles(kernel, request), readers, {
    sortedBy: { column: 'pid', descending: false },
  });
}

function* openFiles(kernel: Kernel, request: ScanRequest): Generator<OpenFile> {
  const files = kernel.decoder(FileObjects);
  const pinnedFds = request.pin('fd').values;
  const only = pinnedFds?.length === 1 ? Number(pinnedFds[0]) : undefined;
  const fd = only !== undefined && only >= 0 && Number.isInteger(only) ? only : undefined;
  for (const task of bySortedPid(kernel.decoder(TaskList), request)) {
    if (task.files === 0) continue;
    const pid = task.tgid;
    for (const entry of files.descriptors(task.files, request.budget, fd)) yield { pid, ...entry };
  }
}
