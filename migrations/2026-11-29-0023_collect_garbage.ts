/** Large Objects that nothing needs any more are given back piece by piece, each in a transaction of its own. */
import { type Kysely } from 'kysely';
import { comment, run, type TableComments } from './statements.js';

const garbage: TableComments = {
  table: 'garbage',
  doc: 'Large Objects of deleted layers and images, until linuxsql.collect_garbage has given them back.',
  columns: { lo: 'the Large Object', since: 'when it was deleted' },
};

const setPath = 'set search_path = pg_catalog, pg_temp';

/** Replaces that of migration 0002. */
const later = `create or replace function linuxsql.unlink_large_object(lo oid) returns void language plpgsql ${setPath} as $$
begin
  insert into linuxsql.garbage (lo) select m.oid from pg_largeobject_metadata m where m.oid = unlink_large_object.lo
    on conflict do nothing;
end $$`;

const atOnce = `create or replace function linuxsql.unlink_large_object(lo oid) returns void language plpgsql ${setPath} as $$
begin
  if exists (select from pg_largeobject_metadata where oid = lo) then perform lo_unlink(lo); end if;
end $$`;

/** From its end: what is left of an object is one still, and the next call goes on there, whatever happens in between. */
const collect = `create function linuxsql.collect_garbage(most_pages integer default 8192) returns boolean
  language plpgsql ${setPath} as $$
declare
  page constant bigint := (select setting::bigint / 4 from pg_settings where name = 'block_size');
  object oid;
  opened integer;
  size bigint;
begin
  if most_pages not between 1 and 1000000 then
    raise exception 'most_pages must be 1 to 1000000' using errcode = 'invalid_parameter_value';
  end if;
  select g.lo into object from linuxsql.garbage g order by g.since, g.lo limit 1 for update skip locked;
  if not found then return false; end if;
  if exists (select from pg_largeobject_metadata where oid = object) then
    opened := lo_open(object, 393216);
    size := lo_lseek64(opened, 0, 2);
    if size > most_pages * page then
      perform lo_truncate64(opened, (size - 1) / page * page - (most_pages - 1) * page), lo_close(opened);
      return true;
    end if;
    perform lo_close(opened), lo_unlink(object);
  end if;
  delete from linuxsql.garbage where lo = object;
  return true;
end $$`;

export async function up(db: Kysely<unknown>): Promise<void> {
  await run(db, [
    'create table linuxsql.garbage (lo oid primary key, since timestamptz not null default now())',
    'grant select on linuxsql.garbage to linuxsql_reader',
    'grant select, insert, update, delete on linuxsql.garbage to linuxsql_operator',
    later,
    "comment on function linuxsql.unlink_large_object(oid) is 'give a Large Object, if it exists, to linuxsql.collect_garbage'",
    collect,
    "comment on function linuxsql.collect_garbage(integer) is 'give back one piece of what was deleted, at most so many pages (2 KB) in this transaction; false when nothing is left, or others are at it'",
    'revoke all on function linuxsql.collect_garbage(integer) from public',
    'grant execute on function linuxsql.collect_garbage(integer) to linuxsql_operator',
  ]);
  await comment(db, garbage);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await run(db, [
    'select pg_catalog.lo_unlink(g.lo) from linuxsql.garbage g where exists (select from pg_catalog.pg_largeobject_metadata m where m.oid = g.lo)',
    atOnce,
    'drop function linuxsql.collect_garbage(integer)',
    'drop table linuxsql.garbage',
  ]);
}
