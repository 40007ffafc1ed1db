/** Reads of one task_struct, in the words of /proc (fs/proc/array.c). */
import type { Gva } from '../memory/address.js';
import type { Kernel } from './kernel.js';
import { CredFields, SignalFields, TaskFields } from './task-fields.js';

const commBytes = 16;
/** include/linux/sched.h: these have kept their values through every kernel with BTF. */
const taskReport = 0x7f;
const taskIdle = 0x402;
const taskReportIdle = 0x80;
const taskRtlockWait = 0x1000;
const taskFrozen = 0x8000;
const taskUninterruptible = 2;
const stateLetters = 'RSDTtXZPI';
const pfKthread = 0x0020_0000;
/** Priority of nice 0 (DEFAULT_PRIO). */
const defaultPrio = 120;
/** enum pid_type */
const pidTypePgid = 2;
const pidTypeSid = 3;
const policies: Record<number, string> = {
  0: 'SCHED_NORMAL',
  1: 'SCHED_FIFO',
  2: 'SCHED_RR',
  3: 'SCHED_BATCH',
  5: 'SCHED_IDLE',
  6: 'SCHED_DEADLINE',
  7: 'SCHED_EXT',
};

export class Task {
  readonly kernel: Kernel;
  readonly address: Gva;
  readonly #fields: TaskFields;
  #notes: string[] | undefined;

  constructor(kernel: Kernel, address: Gva) {
    this.kernel = kernel;
    this.address = address;
    this.#fields = kernel.decoder(TaskFields);
  }

  #u32(offset: number): number {
    return this.kernel.space.u32(this.address + offset);
  }

  #pointer(offset: number): Gva {
    return this.kernel.space.pointer(this.address + offset);
  }

  get pid(): number {
    return this.#u32(this.#fields.pid) | 0;
  }
  get tgid(): number {
    return this.#u32(this.#fields.tgid) | 0;
  }
  get comm(): string {
    return this.kernel.space.text(this.address + this.#fields.comm, commBytes);
  }
  get flags(): number {
    return this.#u32(this.#fields.flags);
  }
  get kthread(): boolean {
    return (this.flags & pfKthread) !== 0;
  }
  /** 0 for kernel threads: they borrow another's page table as active_mm. */
  get mm(): Gva {
    return this.#pointer(this.#fields.mm);
  }
  get fs(): Gva {
    return this.#pointer(this.#fields.fs);
  }
  get files(): Gva {
    return this.#pointer(this.#fields.files);
  }
  get nsproxy(): Gva {
    return this.#fields.nsproxy === undefined ? 0 : this.#pointer(this.#fields.nsproxy);
  }
  get signal(): Gva {
    return this.#pointer(this.#fields.signal);
  }
  get stack(): Gva {
    return this.#pointer(this.#fields.stack);
  }
  get cgroups(): Gva {
    return this.#fields.cgroups === undefined ? 0 : this.#pointer(this.#fields.cgroups);
  }

  /** task_state_index() and its letter. */
  get state(): string {
    const state = this.#u32(this.#fields.state);
    let report = (state | this.#u32(this.#fields.exitState)) & taskReport;
    if ((state & taskIdle) === taskIdle) report = taskReportIdle;
    if ((state & (taskRtlockWait | taskFrozen)) !== 0) report = taskUninterruptible;
    return stateLetters[32 - Math.clz32(report)] ?? '?';
  }

  /** Neither running nor about to: what get_wchan() asks before it looks at the stack. */
  get blocked(): boolean {
    const taskWaking = 0x200;
    const state = this.#u32(this.#fields.state);
    const queued = this.#fields.onRq !== undefined && this.#u32(this.#fields.onRq) !== 0;
    return state !== 0 && state !== taskWaking && !queued;
  }

  /** Registers __switch_to saved when the task last gave up the processor. */
  get switched(): { ra: Gva; sp: Gva; fp: Gva } {
    return {
      ra: this.#pointer(this.#fields.threadRa),
      sp: this.#pointer(this.#fields.threadSp),
      fp: this.#pointer(this.#fields.threadFp),
    };
  }

  get cpu(): number {
    return this.#fields.cpu === undefined ? 0 : this.#u32(this.#fields.cpu) | 0;
  }
  get prio(): number {
    return this.#u32(this.#fields.prio) | 0;
  }
  get nice(): number {
    return (this.#u32(this.#fields.staticPrio) - defaultPrio) | 0;
  }
  get policy(): string {
    const policy = this.#u32(this.#fields.policy);
    return policies[policy] ?? `policy ${policy}`;
  }
  get voluntarySwitches(): number {
    return this.kernel.space.count(this.address + this.#fields.nvcsw);
  }
  get involuntarySwitches(): number {
    return this.kernel.space.count(this.address + this.#fields.nivcsw);
  }
  get startNs(): number {
    return this.kernel.space.count(this.address + this.#fields.startBoottime);
  }
  get utimeNs(): number {
    return this.kernel.space.count(this.address + this.#fields.utime);
  }
  get stimeNs(): number {
    return this.kernel.space.count(this.address + this.#fields.stime);
  }
  get runtimeNs(): number {
    return this.kernel.space.count(this.address + this.#fields.sumExecRuntime);
  }

  /** Thread group id of the real parent; 0 for the first process and kthreadd. */
  get parent(): number {
    const parent = this.#pointer(this.#fields.realParent);
    return parent === 0 ? 0 : this.kernel.space.i32(parent + this.#fields.tgid);
  }

  cred(field: keyof CredFields): number {
    const cred = this.#pointer(this.#fields.cred);
    return this.kernel.space.u32(cred + this.kernel.decoder(CredFields)[field]);
  }

  get threads(): number {
    return this.kernel.space.i32(this.signal + this.kernel.decoder(SignalFields).threads);
  }
  get processGroup(): number {
    return this.#signalPid(pidTypePgid);
  }
  get session(): number {
    return this.#signalPid(pidTypeSid);
  }

  #signalPid(type: number): number {
    const fields = this.kernel.decoder(SignalFields);
    const pid = this.kernel.space.pointer(this.signal + fields.pids + type * 8);
    return pid === 0 ? 0 : this.kernel.space.i32(pid + fields.pidNumber);
  }

  /** Something that could not be read: collected for the quality column. */
  note(reason: string): void {
    if (!this.#notes) this.#notes = [reason];
    else if (!this.#notes.includes(reason)) this.#notes.push(reason);
  }

  get quality(): string | null {
    return this.#notes ? this.#notes.join('; ') : null;
  }
}
