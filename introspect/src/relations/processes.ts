import { processCpuTime, type CpuTime } from '../kernel/cputime.js';
import { Cgroups } from '../kernel/cgroup.js';
import type { Kernel } from '../kernel/kernel.js';
import { AddressSpaces } from '../kernel/mm.js';
import { Paths } from '../kernel/path.js';
import { KthreadNames } from '../kernel/kthread-name.js';
import type { Task } from '../kernel/task.js';
import { TaskList } from '../kernel/task-list.js';
import { WaitChannels } from '../kernel/wchan.js';
import { rowSource, type ColumnReaders, type KeptRows, type RowSource, type ScanRequest } from '../scan/row-source.js';
import { pinnedTasks } from './pinned-tasks.js';

const nsPerSecond = 1e9;
const nsPerMs = 1e6;

type Readers = ColumnReaders<'processes', Task>;

/** What the scans of one kernel share: what is made anew for each scan is compiled anew for each. */
class Processes {
  /** Lookups of a process that follow each other at one instant, as joins make them, read it once. */
  readonly kept: KeptRows = new WeakMap();
  readonly readers: Omit<Readers, 'user_time' | 'system_time'>;

  constructor(kernel: Kernel) {
    const spaces = kernel.decoder(AddressSpaces);
    const paths = kernel.decoder(Paths);
    const fs = kernel.types.struct('fs_struct', 'root', 'pwd');
    const exePath = (task: Task) => (task.mm === 0 ? 0 : spaces.executable(task.mm));
    const below = (task: Task, member: string) => (task.fs === 0 ? null : paths.ofPath(task.fs + fs.offset(member)));
    this.readers = {
      pid: (task) => task.tgid,
      name: (task) => (task.kthread ? KthreadNames.of(kernel, task) : task.comm),
      path: (task) => {
        const path = exePath(task);
        return path === 0 ? null : paths.ofPath(path);
      },
      cmdline: (task) => (task.mm === 0 ? '' : spaces.commandLine(task.mm)),
      state: (task) => task.state,
      cwd: (task) => below(task, 'pwd'),
      root: (task) => below(task, 'root'),
      uid: (task) => task.cred('uid'),
      gid: (task) => task.cred('gid'),
      euid: (task) => task.cred('euid'),
      egid: (task) => task.cred('egid'),
      suid: (task) => task.cred('suid'),
      sgid: (task) => task.cred('sgid'),
      on_disk: (task) => {
        const path = exePath(task);
        return path === 0 ? -1 : paths.deleted(paths.dentryOf(path)) ? 0 : 1;
      },
      resident_size: (task) => (task.mm === 0 ? null : spaces.residentBytes(task.mm)),
      total_size: (task) => (task.mm === 0 ? null : spaces.totalBytes(task.mm)),
      start_time: (task) => Math.floor(task.startNs / nsPerSecond),
      parent: (task) => task.parent,
      pgroup: (task) => task.processGroup,
      sid: (task) => task.session,
      threads: (task) => task.threads,
      nice: (task) => task.nice,
      cgroup_path: (task) => (task.cgroups === 0 ? null : kernel.decoder(Cgroups).path(task)),
      tgid: (task) => task.tgid,
      ppid: (task) => task.parent,
      comm: (task) => task.comm,
      vm_rss_kb: (task) => (task.mm === 0 ? null : spaces.residentBytes(task.mm) / 1024),
      start_time_ns: (task) => task.startNs,
      kthread: (task) => task.kthread,
      flags: (task) => task.flags,
      wchan: (task) => kernel.decoder(WaitChannels).of(task),
      task_addr: (task) => task.address,
      mm_addr: (task) => task.mm || null,
      quality: (task) => task.quality,
    };
  }
}

/** One row per thread group leader. */
export function processes(kernel: Kernel, request: ScanRequest): RowSource {
  const { kept, readers } = kernel.decoder(Processes);
  let last: { task: Task; time: CpuTime } | undefined;
  const timeOf = (task: Task): CpuTime => {
    if (last?.task !== task) last = { task, time: processCpuTime(kernel, task, request.budget) };
    return last.time;
  };
  return rowSource(
    'processes',
    pinnedTasks(kernel.decoder(TaskList), request),
    {
      ...readers,
      user_time: (task) => Math.floor(timeOf(task).userNs / nsPerMs),
      system_time: (task) => Math.floor(timeOf(task).systemNs / nsPerMs),
    },
    { note: (task, reason) => task.note(reason), quality: 'quality', kept },
  );
}
