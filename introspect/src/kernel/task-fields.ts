/** Where this kernel keeps what processes and threads show: struct task_struct, signal_struct, cred. */
import type { Kernel } from './kernel.js';

export class TaskFields {
  readonly tasks: number;
  readonly pid: number;
  readonly tgid: number;
  readonly comm: number;
  readonly state: number;
  readonly exitState: number;
  readonly flags: number;
  readonly mm: number;
  readonly activeMm: number;
  readonly fs: number;
  readonly files: number;
  readonly nsproxy: number | undefined;
  readonly cred: number;
  readonly signal: number;
  readonly realParent: number;
  readonly threadNode: number;
  readonly groupLeader: number;
  readonly stack: number;
  readonly onRq: number | undefined;
  readonly onCpu: number | undefined;
  readonly cpu: number | undefined;
  readonly prio: number;
  readonly staticPrio: number;
  readonly policy: number;
  readonly utime: number;
  readonly stime: number;
  readonly nvcsw: number;
  readonly nivcsw: number;
  readonly startBoottime: number;
  readonly sumExecRuntime: number;
  readonly prevCputime: number | undefined;
  readonly cgroups: number | undefined;
  readonly threadRa: number;
  readonly threadSp: number;
  readonly threadFp: number;

  constructor(kernel: Kernel) {
    const task = kernel.types.struct('task_struct', 'tasks', 'comm', 'pid');
    this.tasks = task.offset('tasks');
    this.pid = task.offset('pid');
    this.tgid = task.offset('tgid');
    this.comm = task.offset('comm');
    this.state = task.offsetOfAny('__state', 'state');
    this.exitState = task.offset('exit_state');
    this.flags = task.offset('flags');
    this.mm = task.offset('mm');
    this.activeMm = task.offset('active_mm');
    this.fs = task.offset('fs');
    this.files = task.offset('files');
    this.nsproxy = task.optional('nsproxy');
    this.cred = task.offset('real_cred');
    this.signal = task.offset('signal');
    this.realParent = task.offset('real_parent');
    this.threadNode = task.offset('thread_node');
    this.groupLeader = task.offset('group_leader');
    this.stack = task.offset('stack');
    this.onRq = task.optional('on_rq');
    this.onCpu = task.optional('on_cpu');
    this.cpu = task.optional('thread_info.cpu') ?? task.optional('cpu');
    this.prio = task.offset('prio');
    this.staticPrio = task.offset('static_prio');
    this.policy = task.offset('policy');
    this.utime = task.offset('utime');
    this.stime = task.offset('stime');
    this.nvcsw = task.offset('nvcsw');
    this.nivcsw = task.offset('nivcsw');
    this.startBoottime = task.offsetOfAny('start_boottime', 'real_start_time');
    this.sumExecRuntime = task.offset('se.sum_exec_runtime');
    this.prevCputime = task.optional('prev_cputime');
    this.cgroups = task.optional('cgroups');
    this.threadRa = task.offset('thread.ra');
    this.threadSp = task.offset('thread.sp');
    this.threadFp = task.offset('thread.s');
  }
}

export class SignalFields {
  readonly threadHead: number;
  readonly threads: number;
  readonly pids: number;
  readonly utime: number;
  readonly stime: number;
  readonly sumSchedRuntime: number;
  readonly prevCputime: number | undefined;
  readonly pidNumber: number;

  constructor(kernel: Kernel) {
    const signal = kernel.types.struct('signal_struct', 'thread_head');
    this.threadHead = signal.offset('thread_head');
    this.threads = signal.offset('nr_threads');
    this.pids = signal.offset('pids');
    this.utime = signal.offset('utime');
    this.stime = signal.offset('stime');
    this.sumSchedRuntime = signal.offset('sum_sched_runtime');
    this.prevCputime = signal.optional('prev_cputime');
    this.pidNumber = kernel.types.struct('pid', 'numbers').offset('numbers') + kernel.types.struct('upid').offset('nr');
  }
}

export class CredFields {
  readonly uid: number;
  readonly gid: number;
  readonly suid: number;
  readonly sgid: number;
  readonly euid: number;
  readonly egid: number;

  constructor(kernel: Kernel) {
    const cred = kernel.types.struct('cred', 'uid', 'euid');
    this.uid = cred.offset('uid');
    this.gid = cred.offset('gid');
    this.suid = cred.offset('suid');
    this.sgid = cred.offset('sgid');
    this.euid = cred.offset('euid');
    this.egid = cred.offset('egid');
  }
}
