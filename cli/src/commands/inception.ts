/** `npm run inception`: everything from nothing, the Debian image too, then fdw/inception_l3.sql with its output. */
import { join } from 'node:path';
import type pg from 'pg';
import { UserError } from '../base/fail.js';
import { elapsed, step } from '../base/log.js';
import { checkout } from '../base/paths.js';
import { importImage } from '../image/index.js';
import { nestedImage } from '../image/standard.js';
import { clientConfig, withClient } from '../server/session.js';
import { debianImage, type DebianImage } from '../setup/debian.js';
import { runPsql } from './psql.js';
import { bringUp } from './up.js';

const machine = 'inception';

async function isPresent(client: pg.Client, { sha256 }: DebianImage): Promise<boolean> {
  const { rows } = await client.query<{ sha256: string }>(
    "select encode(sha256, 'hex') as sha256 from linuxsql.image where name = $1 and sealed and shown",
    [nestedImage.name],
  );
  return rows[0]?.sha256 === sha256;
}

/** Machines over an older image are of no further use: this command makes them itself. */
async function dropMachine(client: pg.Client): Promise<void> {
  const { rowCount } = await client.query('select from linuxsql.machine where name = $1', [machine]);
  if (rowCount === 0) return;
  await client.query('select vm_stop($1, force => true)', [machine]);
  await client.query('select vm_destroy($1)', [machine]);
}

async function ensureImage(image: DebianImage): Promise<void> {
  if (await withClient((client) => isPresent(client, image))) return;
  await withClient(dropMachine);
  const sha256 = Buffer.from(image.sha256, 'hex');
  const { outcome } = await importImage(clientConfig(), {
    name: nestedImage.name,
    kind: 'disk',
    file: image.file,
    sha256,
    replace: true,
  });
  await withClient((client) =>
    client.query('update linuxsql.image set shown = true where name = $1 and not shown', [nestedImage.name]),
  );
  step('images', `${nestedImage.name}: ${outcome}`);
}

/** Words are psql variables of the script: from=0 boots all levels anew, port=N is where VM 1 is reached. */
export async function inception(args: readonly string[]): Promise<number> {
  const wrong = args.find((word) => !/^(from=[0-3]|port=\d{1,5})$/.test(word));
  if (wrong !== undefined) throw new UserError(`"${wrong}" is neither from=0 to from=3 nor port=N`, { exitCode: 2 });
  await bringUp({ machine: true });
  await ensureImage(await debianImage());
  step('inception', `fdw/inception_l3.sql (${elapsed()} after the start)`);
  const variables = ['ON_ERROR_STOP=1', `root=${checkout}`, ...args].flatMap((word) => ['-v', word]);
  return runPsql(['-X', ...variables, '-f', 'inception_l3.sql'], { cwd: join(checkout, 'fdw') });
}
