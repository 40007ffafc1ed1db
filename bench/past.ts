/** Time travel: the first look at an instant two billion instructions back, the next ones, and beside a checkpoint. */
import type pg from 'pg';
import { withClient } from '../cli/src/server/session.js';
import { prepareServer, withMachine } from './database.js';
import { alternate } from './measure.js';
import type { Result } from './report.js';

const back = 2_000_000_000n;
/** How far behind a checkpoint an instant lies, at least. */
const behind = 100_000_000n;
const query = 'select count(*) from linux.processes';
/** Busy, so that instructions are executed and not idled through. */
const work = 'while :; do md5sum /bin/busybox >/dev/null; done\n';

async function seconds(client: pg.Client, instret: bigint): Promise<number> {
  await client.query(`set linuxsql.as_of = '${instret}'`);
  const started = performance.now();
  await client.query(query);
  const took = (performance.now() - started) / 1000;
  await client.query('reset linuxsql.as_of');
  return took;
}

export async function pastBenchmark(
  rounds: number,
  onSample: (name: string, value: number) => void,
): Promise<Result[]> {
  await prepareServer();
  return withMachine({ disk: 'mini', runs: 'shell' }, ({ name, type }) =>
    withClient(async (client) => {
      await client.query('select set_config($1, $2, false)', ['linuxsql.machine', name]);
      await type(work);
      const { rows } = await client.query<{ instret: string }>("select instret from vm_step_until('', $1)", [
        String(back + 500_000_000n),
      ]);
      let at = BigInt(rows[0]?.instret ?? 0) - back;
      const first = { name: 'first look', run: () => seconds(client, (at -= 1_000_003n)) };
      const again = { name: 'from cache', run: async () => (await seconds(client, at)) * 1000 };
      const measured = await alternate([first], rounds, onSample);
      const taken = await client.query<{ instret: string }>("select instret from vm_checkpoint('bench', $1)", [name]);
      await client.query("select from vm_step_until('', $1)", [String(back)]);
      let checkpoint = BigInt(taken.rows[0]?.instret ?? 0) + behind;
      const near = { name: 'near a checkpoint', run: () => seconds(client, (checkpoint -= 1_000_003n)) };
      const nearest = await alternate([near], rounds, onSample);
      return [
        { benchmark: 'past', title: '2 billion instructions back', unit: 's', larger: false, measurements: measured },
        {
          benchmark: 'past-checkpoint',
          title: 'an instant 100 million instructions after a checkpoint, two billion back',
          unit: 's',
          larger: false,
          measurements: nearest,
        },
        {
          benchmark: 'past-again',
          title: 'the same instant again',
          unit: 'ms',
          larger: false,
          measurements: await alternate([again], rounds, onSample),
        },
      ];
    }),
  );
}
