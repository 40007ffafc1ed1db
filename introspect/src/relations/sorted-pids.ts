import type { Task } from '../kernel/task.js';
import type { TaskList } from '../kernel/task-list.js';
import type { ScanRequest } from '../scan/row-source.js';
import { pinnedTasks } from './pinned-tasks.js';

/** pinnedTasks in ascending pid order, for relations that deliver many rows per process. */
export function bySortedPid(tasks: TaskList, request: ScanRequest): Task[] {
  return [...pinnedTasks(tasks, request)]
    .map((task) => ({ task, pid: task.tgid }))
    .sort((a, b) => a.pid - b.pid)
    .map(({ task }) => task);
}
