import { CurrentTask } from '../kernel/current.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Task } from '../kernel/task.js';
import { TaskList } from '../kernel/task-list.js';
import type { HartState } from '../telemetry/hart.js';
import { rowSource, type ColumnReaders, type RowSource, type ScanRequest } from '../scan/row-source.js';
import { pinnedTasks } from './pinned-tasks.js';

/** What does not depend on the scan is made once: what is made anew for each scan is compiled anew for each. */
const readers: Omit<ColumnReaders<'threads', Task>, 'current'> = {
  tid: (task) => task.pid,
  tgid: (task) => task.tgid,
  comm: (task) => task.comm,
  state: (task) => task.state,
  cpu: (task) => task.cpu,
  prio: (task) => task.prio,
  policy: (task) => task.policy,
  utime_ns: (task) => task.utimeNs,
  stime_ns: (task) => task.stimeNs,
  nvcsw: (task) => task.voluntarySwitches,
  nivcsw: (task) => task.involuntarySwitches,
  start_time_ns: (task) => task.startNs,
  kthread: (task) => task.kthread,
  task_addr: (task) => task.address,
  stack: (task) => task.stack || null,
  quality: (task) => task.quality,
};

/** One row per thread; a tid that the quals name is found through the processes' thread lists. */
export function threads(kernel: Kernel, request: ScanRequest, hart: HartState | undefined): RowSource {
  const tasks = kernel.decoder(TaskList);
  const current = hart ? kernel.decoder(CurrentTask).address(hart, request.budget) : undefined;
  return rowSource(
    'threads',
    allThreads(tasks, request),
    { ...readers, current: (task) => task.address === current },
    { note: (task, reason) => task.note(reason), quality: 'quality' },
  );
}

function* allThreads(tasks: TaskList, request: ScanRequest): Generator<Task> {
  for (const leader of pinnedTasks(tasks, request, 'tgid')) yield* tasks.threads(leader.address, request.budget);
}
