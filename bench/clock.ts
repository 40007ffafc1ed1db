/** By which clock a machine's work is measured. */
import type { Session } from './machines.js';
import { runWorkload } from './workloads.js';

/**
 * LINUXSQL_BENCH_CLOCK=cpu, for a host that others use: processor time of all threads of the machine's program instead of
 * the time that passed.
 */
export const clock = process.env['LINUXSQL_BENCH_CLOCK'] === 'cpu' ? 'cpu' : 'wall';

export const timeUnit = clock === 'cpu' ? 's of processor time' : 's';

/** One workload. A guest that waits for input uses no time, so it is read before the request and after the answer. */
export async function sample(session: Session, workload: string): Promise<{ seconds: number; checksum: string }> {
  const before = session.used();
  const outcome = await runWorkload(session, workload);
  if (clock !== 'cpu') return outcome;
  if (session.transcript.name === 'native') return { ...outcome, seconds: outcome.usedInside };
  return { ...outcome, seconds: session.used() - before };
}
