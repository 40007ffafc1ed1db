/** Crashes of PostgreSQL under a running store, in several ways. */
import pg from 'pg';
import type { OwnCluster, TestDatabase } from '../harness/cluster.js';
import type { Random } from './model.js';

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Server processes of the store; none while the server recovers from the crash before. */
export async function storeBackends(database: TestDatabase): Promise<number[]> {
  const session = new pg.Client(database.config);
  session.on('error', () => undefined);
  try {
    await session.connect();
    const query = "select pid from pg_stat_activity where application_name like 'linuxsql-vm m%'";
    return (await session.query<{ pid: number }>(query)).rows.map(({ pid }) => pid);
  } catch {
    return [];
  } finally {
    await session.end().catch(() => undefined);
  }
}

/** The processes of a killed postmaster need a moment to leave its shared memory. */
export async function startAgain(cluster: OwnCluster): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await cluster.start();
      return;
    } catch (error) {
      if (attempt === 50) throw error;
      await pause(100);
    }
  }
}

export async function crashServer(
  cluster: OwnCluster,
  random: Random,
  backends: () => Promise<number[]>,
): Promise<void> {
  const kind = random.below(3);
  if (kind === 0) {
    const pids = await backends();
    const pid = pids[random.below(Math.max(pids.length, 1))];
    if (pid !== undefined) process.kill(pid, 'SIGKILL'); // the postmaster then restarts everything
  } else if (kind === 1) {
    await cluster.kill9();
    await pause(random.below(300));
    await startAgain(cluster);
  } else {
    await cluster.stop('immediate');
    await pause(random.below(300));
    await startAgain(cluster);
  }
}
