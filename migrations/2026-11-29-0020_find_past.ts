/** Where a replay of a past instant begins: at the nearest checkpoint before it, or with its boot. */
import type { Kysely } from 'kysely';
import { run } from './statements.js';

const signature = 'linuxsql.find_past(text, bigint, bigint, text)';

/**
 * A boot is part of a history that begins with a life of the daemon, or with the last `restore` input before it. An
 * instant of a restored boot that is earlier than its checkpoint was lived in the boot that checkpoint was taken in.
 */
const findPast = `create function linuxsql.find_past(machine_name text, wanted_boot bigint, at_instret bigint, from_checkpoint text,
    out machine bigint, out first_boot bigint, out first_seq bigint, out checkpoint bigint, out disk bigint,
    out boot bigint, out until bigint, out problem text)
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  life linuxsql.boot;
  restored linuxsql.input_log;
  saved linuxsql.checkpoint;
  checkpoint_id bigint;
begin
  problem := 'nothing is known of it';
  select m.id into machine from linuxsql.machine m where m.name = machine_name;
  boot := wanted_boot;
  if boot is null then
    select c.boot into boot from linuxsql.checkpoint c where c.machine = find_past.machine and c.name = from_checkpoint;
    if not found then
      problem := format('there is no checkpoint "%s"', from_checkpoint);
      return;
    end if;
  end if;
  for parents in 0..1000 loop
    select b.* into life from linuxsql.boot b
      where b.machine = find_past.machine and b.boot <= find_past.boot order by b.boot desc limit 1;
    exit when not found;
    select l.* into restored from linuxsql.input_log l
      where l.machine = find_past.machine and l.kind = 'restore' and l.boot between life.boot and find_past.boot
      order by l.boot desc limit 1;
    if at_instret is not null or from_checkpoint is not null then
      select c.* into saved from linuxsql.checkpoint c
        where c.machine = find_past.machine and c.boot between coalesce(restored.boot, life.boot) and find_past.boot
          and (at_instret is null or c.boot < find_past.boot or c.instret <= at_instret)
          and (from_checkpoint is null or c.name = from_checkpoint)
        order by c.boot desc, c.instret desc, c.time_ns desc limit 1;
      if found then
        first_boot := saved.boot; first_seq := saved.input_seq; checkpoint := saved.id; disk := saved.disk_layer;
        problem := null;
        return;
      end if;
    end if;
    if restored.boot is null then
      if from_checkpoint is not null then
        problem := format('it does not follow from checkpoint "%s"', from_checkpoint);
      elsif life.has_disk and life.leaf is null then
        problem := 'the disk as it was then is not kept';
      else
        first_boot := life.boot; first_seq := 0; disk := life.leaf; problem := null;
      end if;
      return;
    end if;
    select sum(get_byte(restored.payload, i)::bigint << 8 * i) into checkpoint_id
      from generate_series(0, least(octet_length(restored.payload), 8) - 1) i;
    select c.* into saved from linuxsql.checkpoint c where c.id = checkpoint_id;
    if not found then
      problem := 'the checkpoint it went on from has been deleted';
      return;
    end if;
    if restored.boot < find_past.boot or at_instret is null or at_instret >= saved.instret then
      if from_checkpoint is not null and from_checkpoint <> saved.name then
        problem := format('it does not follow from checkpoint "%s"', from_checkpoint);
      else
        first_boot := restored.boot; first_seq := 0; checkpoint := saved.id; disk := saved.disk_layer; problem := null;
      end if;
      return;
    end if;
    machine := saved.machine;
    boot := saved.boot;
    until := saved.instret;
  end loop;
end $$`;

export async function up(db: Kysely<unknown>): Promise<void> {
  await run(db, [
    "create index input_log_restore on linuxsql.input_log (machine, boot) where kind = 'restore'",
    findPast,
    `comment on function ${signature} is 'where a replay begins that comes to an instruction (null: any) of a boot (null: that of the checkpoint): machine, boot, first input, checkpoint (null: with the boot) and disk layer; the boot the instant was lived in, the instruction from which on that is another history, or what stands against it'`,
    `revoke all on function ${signature} from public`,
    `grant execute on function ${signature} to linuxsql_operator`,
  ]);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await run(db, [`drop function ${signature}`, 'drop index linuxsql.input_log_restore']);
}
