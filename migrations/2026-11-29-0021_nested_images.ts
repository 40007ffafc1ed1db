/** Images for machines inside machines: bytes that lie in a device of this host, and a disk that shows its own image. */
import { type Kysely } from 'kysely';
import { comment, run, type TableComments } from './statements.js';

const source: TableComments = {
  table: 'image_source',
  doc: 'Images whose bytes lie in a file or block device of this host, not in their Large Object; only a superuser makes one.',
  columns: {
    image: 'its image, of kind disk',
    path: 'absolute path; the account of the server must be able to read it, and nothing may write what is used of it',
    byte_offset: 'where the image begins there',
  },
};

const shownDoc =
  'a disk over it shows the image itself, read-only, behind its own end, so that its guest can make disks over the same image';

const setPath = 'set search_path = pg_catalog, pg_temp';

/** The size of every disk over the image depends on it. */
const refuseShown = `create function linuxsql.refuse_shown_change() returns trigger language plpgsql ${setPath} as $$
begin
  if exists (select from linuxsql.layer where image = old.id) then
    raise exception 'disks stand over image "%"', old.name using errcode = 'object_in_use';
  end if;
  return new;
end $$`;

/** The digests are those of nothing: bytes of another host's keeping are not hashed here. */
const linkImage = `create function linuxsql.link_image(image_name text, source_path text, source_offset bigint, image_size bigint, show boolean default true)
  returns bigint language plpgsql ${setPath} as $$
declare
  made bigint;
begin
  if source_path is null or source_path !~ '^/' then
    raise exception '"%" is not an absolute path', source_path using errcode = 'invalid_parameter_value';
  end if;
  if source_offset is null or source_offset < 0 or source_offset % 4096 <> 0 or image_size % 4096 <> 0 then
    raise exception 'an image in a device begins and ends on a page of 4096 bytes' using errcode = 'invalid_parameter_value';
  end if;
  insert into linuxsql.image (name, kind, lo, presence_lo, size, sha256, content_sha256, progress, sealed, shown)
    values (image_name, 'disk', linuxsql.new_large_object(), linuxsql.new_large_object(), image_size, sha256(''), sha256(''),
            image_size, true, show)
    returning id into made;
  insert into linuxsql.image_source (image, path, byte_offset) values (made, source_path, source_offset);
  return made;
end $$`;

export async function up(db: Kysely<unknown>): Promise<void> {
  await run(db, [
    'alter table linuxsql.image add column shown boolean not null default false',
    `comment on column linuxsql.image.shown is '${shownDoc}'`,
    `create table linuxsql.image_source (
       image bigint primary key references linuxsql.image (id) on delete cascade,
       path text not null check (path ~ '^/'),
       byte_offset bigint not null check (byte_offset >= 0 and byte_offset % 4096 = 0))`,
    'grant select on linuxsql.image_source to linuxsql_reader, linuxsql_operator',
    refuseShown,
    "comment on function linuxsql.refuse_shown_change() is 'trigger: the size of a disk does not change under it'",
    'revoke all on function linuxsql.refuse_shown_change() from public',
    `create trigger shown before update of shown on linuxsql.image for each row when (old.shown <> new.shown)
       execute function linuxsql.refuse_shown_change()`,
    linkImage,
    "comment on function linuxsql.link_image(text, text, bigint, bigint, boolean) is 'an image whose bytes lie in a file or block device of this host, for superusers; returns its id'",
    'revoke all on function linuxsql.link_image(text, text, bigint, bigint, boolean) from public',
  ]);
  await comment(db, source);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await run(db, [
    'drop function linuxsql.link_image(text, text, bigint, bigint, boolean)',
    'drop table linuxsql.image_source',
    'drop trigger shown on linuxsql.image',
    'drop function linuxsql.refuse_shown_change()',
    'alter table linuxsql.image drop column shown',
  ]);
}
