/** The disk of a checkpoint is sealed in the checkpoint's own transaction. */
import { type Kysely } from 'kysely';
import { run } from './statements.js';

const signature = 'linuxsql.begin_saved_disk(bigint, bigint, bigint)';

export async function up(db: Kysely<unknown>): Promise<void> {
  await run(db, [
    `create function linuxsql.begin_saved_disk(machine_id bigint, held bigint, leaf bigint, out layer bigint, out lo oid, out presence_lo oid)
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform linuxsql.check_fence(machine_id, held);
  update linuxsql.layer l set sealed = true where l.id = leaf;
  begin_saved_disk.layer := linuxsql.add_disk_layer(leaf, null, null);
  update linuxsql.layer l set sealed = true where l.id = begin_saved_disk.layer
    returning l.lo, l.presence_lo into begin_saved_disk.lo, begin_saved_disk.presence_lo;
end $$`,
    `comment on function ${signature} is 'for its daemon, in the transaction of a checkpoint: seal the disk layer and put one over it that is filled in this transaction with what pages held at the checkpoint and were written since'`,
    `revoke all on function ${signature} from public`,
    `grant execute on function ${signature} to linuxsql_operator`,
  ]);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await run(db, [`drop function ${signature}`]);
}
