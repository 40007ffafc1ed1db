/** What was deleted is given back later, piece by piece. */
import type pg from 'pg';

/** Has all of it given back now, beside whoever is at it already. */
export async function collectGarbage(client: pg.Client): Promise<void> {
  for (;;) {
    await client.query('select linuxsql.collect_garbage()');
    const { rowCount } = await client.query('select from linuxsql.garbage limit 1');
    if (rowCount === 0) return;
  }
}
