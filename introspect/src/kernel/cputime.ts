/** User and system time of a process as /proc/PID/stat shows them (kernel/sched/cputime.c). */
import type { Budget } from '../memory/budget.js';
import type { Kernel } from './kernel.js';
import type { Task } from './task.js';
import { SignalFields } from './task-fields.js';
import { TaskList } from './task-list.js';

export interface CpuTime {
  userNs: number;
  systemNs: number;
}

/** thread_group_cputime_adjusted(): tick samples scaled to the precise run time, never going backwards. */
export function processCpuTime(kernel: Kernel, leader: Task, budget: Budget): CpuTime {
  const fields = kernel.decoder(SignalFields);
  const { signal } = leader;
  let utime = kernel.space.u64(signal + fields.utime);
  let stime = kernel.space.u64(signal + fields.stime);
  let runtime = kernel.space.u64(signal + fields.sumSchedRuntime);
  for (const thread of kernel.decoder(TaskList).threads(leader.address, budget)) {
    utime += BigInt(thread.utimeNs);
    stime += BigInt(thread.stimeNs);
    runtime += BigInt(thread.runtimeNs);
  }
  if (fields.prevCputime === undefined) return { userNs: Number(utime), systemNs: Number(stime) };
  const previous = kernel.types.struct('prev_cputime');
  const prevUser = kernel.space.u64(signal + fields.prevCputime + previous.offset('utime'));
  const prevSystem = kernel.space.u64(signal + fields.prevCputime + previous.offset('stime'));
  return adjust(utime, stime, runtime, prevUser, prevSystem);
}

/** cputime_adjust() */
function adjust(utime: bigint, stime: bigint, runtime: bigint, prevUser: bigint, prevSystem: bigint): CpuTime {
  if (prevUser + prevSystem >= runtime) return { userNs: Number(prevUser), systemNs: Number(prevSystem) };
  let system = stime === 0n ? 0n : utime === 0n ? runtime : (stime * runtime) / (stime + utime);
  if (system < prevSystem) system = prevSystem;
  let user = runtime - system;
  if (user < prevUser) {
    user = prevUser;
    system = runtime - user;
  }
  return { userNs: Number(user), systemNs: Number(system) };
}
