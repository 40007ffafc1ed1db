import type { Task } from '../kernel/task.js';
import type { TaskList } from '../kernel/task-list.js';
import type { ScanRequest } from '../scan/row-source.js';

/** Process leaders that the quals leave possible: looked up when pids or addresses are named, else all. */
export function* pinnedTasks(tasks: TaskList, request: ScanRequest, pidColumn = 'pid'): Generator<Task> {
  const leaders = tasks.leaders(request.budget);
  const pin = request.pin(pidColumn);
  if (pin.values) {
    for (const value of pin.values) {
      const address = leaders.get(Number(value));
      if (address !== undefined) yield tasks.task(address);
    }
    return;
  }
  for (const [pid, address] of leaders) {
    request.budget.take();
    if (pid >= pin.low && pid <= pin.high) yield tasks.task(address);
  }
}
