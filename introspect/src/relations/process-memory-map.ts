import { deviceNumbers, FileObjects } from '../kernel/file.js';
import type { Kernel } from '../kernel/kernel.js';
import { Areas, type Area } from '../kernel/vma.js';
import { TaskList } from '../kernel/task-list.js';
import { rowSource, type ColumnReaders, type RowSource, type ScanRequest } from '../scan/row-source.js';
import { bySortedPid } from './sorted-pids.js';

interface MappedArea {
  pid: number;
  mm: number;
  area: Area;
}

/** Made once for a kernel: what is made anew for each scan is compiled anew for each. */
class Columns {
  readonly readers: ColumnReaders<'process_memory_map', MappedArea>;

  constructor(kernel: Kernel) {
    const areas = kernel.decoder(Areas);
    const files = kernel.decoder(FileObjects);
    const inodeOf = ({ area }: MappedArea) => (area.file === 0 ? 0 : files.inode(area.file));
    this.readers = {
      pid: (item) => item.pid,
      start: (item) => item.area.start,
      end: (item) => item.area.end,
      permissions: (item) => areas.permissions(item.area),
      offset: (item) => areas.offset(item.area),
      device: (item) => {
        const inode = inodeOf(item);
        return inode === 0 ? '00:00' : formatDevice(files.device(inode));
      },
      inode: (item) => {
        const inode = inodeOf(item);
        return inode === 0 ? 0 : files.inodeNumber(inode);
      },
      path: (item) => areas.path(item.mm, item.area),
      pseudo: (item) => (item.area.file === 0 ? 1 : 0),
      flags: (item) => areas.flags(item.area),
      vma_addr: (item) => item.area.address,
    };
  }
}

/** One row per area of every process that has an address space. */
export function processMemoryMap(kernel: Kernel, request: ScanRequest): RowSource {
  const { readers } = kernel.decoder(Columns);
  return rowSource('process_memory_map', mappedAreas(kernel, request), readers, {
    sortedBy: { column: 'pid', descending: false },
  });
}

function* mappedAreas(kernel: Kernel, request: ScanRequest): Generator<MappedArea> {
  const areas = kernel.decoder(Areas);
  const start = request.pin('start');
  // An area that starts at or before the pinned start touches it.
  const low = Math.max(0, Number.isFinite(start.low) ? start.low : 0);
  for (const task of bySortedPid(kernel.decoder(TaskList), request)) {
    const { mm } = task;
    if (mm === 0) continue;
    const pid = task.tgid;
    for (const area of areas.of(mm, request.budget, low, start.high)) yield { pid, mm, area };
  }
}

function formatDevice(device: number): string {
  const { major, minor } = deviceNumbers(device);
  return `${major.toString(16).padStart(2, '0')}:${minor.toString(16).padStart(2, '0')}`;
}
