/** Conditions in kernel words to conditions in hart words (docs/protocol.md, RESOLVE). */
import { introspectError } from '../errors.js';
import { formatAddress } from '../memory/address.js';
import { Budget } from '../memory/budget.js';
import { callTargets, keptArgument } from '../kernel/calls.js';
import { SystemCalls } from '../kernel/syscalls.js';
import { Task } from '../kernel/task.js';
import { TaskList } from '../kernel/task-list.js';
import type { Machine, MachineView } from './machine.js';

export interface Resolved {
  metNow: boolean;
  condition: string;
}

const walkSteps = 1_000_000;
/** The kernel keeps this many bytes of a name in task_struct.comm. */
const commBytes = 15;
/**
 * Functions that get a new task name in a1, most telling first. execve, prctl and kthread creation all go through
 * the first, but compilers inline it into begin_new_exec, which then calls one of the others.
 */
const namingFunctions = ['__set_task_comm', 'strscpy_pad', 'sized_strscpy'];
/** Of these, the ones whose first call copies a1 to where a0 points. */
const copiesToArgument = new Set(['strscpy_pad']);
const execFunction = 'begin_new_exec';
const kernelWords = /^(sym|syscall|proc):(.+)$/s;

export async function resolveCondition(machine: Machine, condition: string): Promise<Resolved> {
  const [, kind, name] = kernelWords.exec(condition) ?? [];
  if (kind === undefined || name === undefined) return { metNow: false, condition };
  const view = await machine.openView();
  try {
    if (kind === 'sym') return { metNow: false, condition: `pc:${symbolAddress(view, name)}` };
    if (kind === 'syscall') return { metNow: false, condition: `ecall:${callNumber(view, name)}` };
    return process(view, name);
  } finally {
    machine.closeView(view);
  }
}

function symbolAddress(view: MachineView, name: string): string {
  const address = view.link.keeper.symbolsAt(view).lookup(name);
  if (address === undefined) throw introspectError('conditionUnknown', `the guest kernel has no symbol "${name}"`);
  return formatAddress(address);
}

function callNumber(view: MachineView, name: string): number {
  const number = view.link.keeper.at(view).decoder(SystemCalls).number(name);
  if (number === undefined) throw introspectError('conditionUnknown', `the guest kernel has no system call "${name}"`);
  return number;
}

function process(view: MachineView, name: string): Resolved {
  const short = Buffer.from(name, 'utf8').subarray(0, commBytes).toString('utf8');
  if (processExists(view, short)) return { metNow: true, condition: '' };
  return { metNow: false, condition: namingCondition(view, name) };
}

/**
 * Where a task gets this name: best right after the copy, when the task shows it already; else where the
 * function that copies it is entered.
 */
function namingCondition(view: MachineView, name: string): string {
  const chosen = namingFunction(view);
  const address = symbolAddress(view, chosen);
  const kernel = view.link.keeper.atOrNone(view);
  const start = kernel?.symbols.lookup(chosen);
  const kept = kernel && start !== undefined && copiesToArgument.has(chosen) ? keptArgument(kernel, start) : undefined;
  if (kept) return `pc:${formatAddress(kept.after)}&str:${kept.register}=${name}`;
  return `pc:${address}&str:a1=${name}`;
}

function namingFunction(view: MachineView): string {
  const fallback = namingFunctions[0]!;
  const kernel = view.link.keeper.atOrNone(view);
  const exec = kernel?.symbols.lookup(execFunction);
  if (!kernel || exec === undefined) return fallback;
  const called = callTargets(kernel, exec);
  const isCalled = (name: string) =>
    kernel.symbols.named(name).some((symbol) => called.has(kernel.symbols.address(symbol)));
  return namingFunctions.find(isCalled) ?? fallback;
}

/** False too while the kernel has no processes yet. */
function processExists(view: MachineView, comm: string): boolean {
  const kernel = view.link.keeper.atOrNone(view);
  if (!kernel) return false;
  const budget = new Budget(walkSteps);
  const leaders = kernel.decoder(TaskList).leadersOrNone(budget);
  return [...leaders.values()].some((address) => new Task(kernel, address).comm === comm);
}
