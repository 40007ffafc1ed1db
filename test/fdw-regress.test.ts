/** The goldens of fdw/test by pg_regress itself: definitions, what EXPLAIN shows as pushed, the SQL surface. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkout } from '../cli/src/base/paths.js';
import { createDatabase } from './harness/cluster.js';
import { run } from './harness/processes.js';
import { tempDir } from './harness/temp.js';

const pgRegress = '/usr/lib/postgresql/15/lib/pgxs/src/test/regress/pg_regress';

test('pg_regress', async () => {
  const database = await createDatabase();
  const output = tempDir();
  const { code, stdout, stderr } = await run(
    pgRegress,
    [
      ...[
        '--use-existing',
        `--host=${database.socketDir}`,
        '--port=5432',
        '--user=postgres',
        `--dbname=${database.name}`,
      ],
      ...[`--inputdir=${join(checkout, 'fdw/test')}`, `--outputdir=${output}`, '--bindir=/usr/lib/postgresql/15/bin'],
      ...['import', 'explain', 'surface'],
    ],
    { timeoutMs: 60_000 },
  );
  const differences = code === 0 ? '' : readFileSync(join(output, 'regression.diffs'), 'utf8');
  expect(differences, `${stdout}${stderr}`).toBe('');
  expect(code).toBe(0);
});
