import { IntrospectError } from '../errors.js';
import type { Machine, MachineView } from '../machine/machine.js';
import type { Machines } from '../machine/machines.js';
import { rowSource, type RowSource, type ScanRequest } from '../scan/row-source.js';
import type { RowOf } from '../gen/relations.js';

/** A machine whose hart does not come to rest is listed without its kernel. */
const patienceMs = 1000;

/** One row per machine that has a socket, reachable or not. */
export async function machines(known: Machines, request: ScanRequest): Promise<RowSource> {
  const pinned = request.pin('machine').values;
  const names = known.names().filter((name) => !pinned || pinned.includes(name));
  const rows: RowOf['machines'][] = [];
  for (const name of names) rows.push(await describe(name, known));
  return rowSource('machines', rows, {
    machine: (row) => row.machine,
    state: (row) => row.state,
    instret: (row) => row.instret,
    pc: (row) => row.pc,
    guest_time_ns: (row) => row.guest_time_ns,
    memory_bytes: (row) => row.memory_bytes,
    hz: (row) => row.hz,
    kernel: (row) => row.kernel,
    symbols: (row) => row.symbols,
    daemon_pid: (row) => row.daemon_pid,
  });
}

async function describe(name: string, known: Machines): Promise<RowOf['machines']> {
  const nothing = {
    instret: null,
    pc: null,
    guest_time_ns: null,
    memory_bytes: null,
    hz: null,
    kernel: null,
    symbols: null,
    daemon_pid: null,
  };
  try {
    const machine = known.get(name);
    const { state, instret, pc, timeNs, ramBytes, hz } = await machine.status();
    const { mapping } = await machine.link();
    return {
      machine: name,
      state,
      instret,
      pc: BigInt.asIntN(64, pc),
      guest_time_ns: timeNs,
      memory_bytes: ramBytes,
      hz,
      ...(await kernelOf(machine)),
      daemon_pid: mapping.telemetry.daemonPid,
    };
  } catch (error) {
    if (!(error instanceof IntrospectError)) throw error;
    return { machine: name, state: 'unreachable', ...nothing };
  }
}

async function kernelOf(machine: Machine): Promise<{ kernel: string | null; symbols: string }> {
  let view: MachineView | undefined;
  try {
    view = await machine.openView(patienceMs);
    const kernel = view.link.keeper.at(view);
    return { kernel: kernel.banner, symbols: kernel.provenance };
  } catch (error) {
    if (!(error instanceof IntrospectError)) throw error;
    return { kernel: null, symbols: error.message };
  } finally {
    if (view) machine.closeView(view);
  }
}
