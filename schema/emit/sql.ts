/** The install script of the extension: foreign-data wrapper, foreign tables of the current machine, functions, views. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ColumnType, Relation } from '../vocabulary.js';
import { functions, type Grantee, type SqlFunction } from '../functions.js';
import { generatedNotice } from './text.js';

const sqlType: Record<ColumnType, string> = {
  bool: 'boolean',
  int4: 'integer',
  int8: 'bigint',
  float8: 'double precision',
  text: 'text',
  timestamptz: 'timestamptz',
};

/** Column names of the catalogue that SQL reserves. */
const reserved = new Set(['end', 'current', 'offset', 'start', 'type', 'value', 'name', 'path', 'text', 'level']);

const identifier = (name: string): string => (reserved.has(name) ? `"${name}"` : name);
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const grantees: Record<Grantee, string> = {
  reader: 'linuxsql_reader, linuxsql_operator',
  operator: 'linuxsql_operator',
  none: '',
};

function source(folder: string, name: string): string {
  return readFileSync(join(process.cwd(), 'schema', folder, name), 'utf8').trimEnd();
}

const prologue = `-- Loaded by CREATE EXTENSION, not by psql.
\\echo Use "create extension linuxsql" to load this file. \\quit

-- Roles belong to the whole server and outlive the extension.
do $$
declare
  role text;
begin
  foreach role in array array['linuxsql_reader', 'linuxsql_operator'] loop
    if not exists (select from pg_catalog.pg_roles where rolname = role) then
      execute format('create role %I nologin', role);
    end if;
  end loop;
exception when duplicate_object or unique_violation then null;
end $$;

create function linuxsql_handler() returns fdw_handler language c strict as 'MODULE_PATHNAME';
create function linuxsql_validator(text[], oid) returns void language c strict as 'MODULE_PATHNAME';
revoke all on function linuxsql_handler(), linuxsql_validator(text[], oid) from public;
create foreign data wrapper linuxsql handler linuxsql_handler validator linuxsql_validator;
comment on foreign data wrapper linuxsql is 'machines: create server vm1 foreign data wrapper linuxsql options (machine ''vm1'')';
create server linuxsql_current foreign data wrapper linuxsql;
comment on server linuxsql_current is 'the machine named by linuxsql.machine, or the only one there is';

create schema linux;
comment on schema linux is 'kernel and telemetry of the current machine';
grant usage on schema linux to linuxsql_reader, linuxsql_operator;
`;

const refreshTables = `create table vm_refresh_schedule (
  view regclass primary key,
  every interval not null check (every >= interval '1 second'),
  method text not null check (method in ('pg_cron', 'worker')),
  cron_job bigint,
  machine text,
  next_run timestamptz not null,
  last_run timestamptz,
  last_ms double precision,
  last_error text,
  runs bigint not null default 0,
  failures bigint not null default 0
);
comment on table vm_refresh_schedule is 'materialized views that vm_refresh_every keeps fresh';
comment on column vm_refresh_schedule.machine is 'linuxsql.machine at the time of vm_refresh_every; null: as the worker finds it';
create table vm_refresh_log (
  id bigint generated always as identity primary key,
  view regclass not null,
  started timestamptz not null,
  sqlstate text not null,
  message text not null,
  detail text
);
comment on table vm_refresh_log is 'refreshes that failed; the newest thousand';
grant select on vm_refresh_schedule, vm_refresh_log to linuxsql_reader, linuxsql_operator;
grant insert, update, delete on vm_refresh_schedule, vm_refresh_log to linuxsql_operator;
select pg_catalog.pg_extension_config_dump('vm_refresh_schedule', '');
`;

function foreignTable(relation: Relation): string[] {
  const table = `linux.${relation.name}`;
  const columns = relation.columns.map(
    (column) => `  ${identifier(column.name)} ${sqlType[column.type]}${column.nullable === true ? '' : ' not null'}`,
  );
  return [
    `create foreign table ${table} (`,
    columns.join(',\n'),
    `) server linuxsql_current options (relation ${literal(relation.name)});`,
    `comment on foreign table ${table} is ${literal(relation.doc)};`,
    ...relation.columns.map(
      (column) => `comment on column ${table}.${identifier(column.name)} is ${literal(column.doc)};`,
    ),
    `grant select on ${table} to linuxsql_reader, linuxsql_operator;`,
    '',
  ];
}

function returnType(returns: SqlFunction['returns']): string {
  if (typeof returns === 'string') return returns;
  return `table (${returns.map((column) => `${identifier(column.name)} ${column.type}`).join(', ')})`;
}

function body(fn: SqlFunction): string {
  if (fn.language === 'c') return `as 'MODULE_PATHNAME', 'linuxsql_${fn.name}'`;
  const text = source('bodies', `${fn.name}.sql`);
  if (fn.language === 'plpgsql') return `set search_path = pg_catalog, pg_temp as $body$\n${text}\n$body$`;
  return `begin atomic\n${text};\nend`;
}

/** C functions other than vm_status wait for a machine: no parallel plan may hold them. */
function sqlFunction(fn: SqlFunction): string[] {
  const types = fn.args.map((argument) => argument.type).join(', ');
  const args = fn.args.map(
    ({ name, type, default: value }) => `${identifier(name)} ${type}${value === undefined ? '' : ` default ${value}`}`,
  );
  const attributes = [
    `language ${fn.language}`,
    fn.volatility,
    ...(fn.strict === true ? ['strict'] : []),
    fn.volatility === 'immutable' ? 'parallel safe' : 'parallel unsafe',
  ];
  const signature = `${fn.name}(${types})`;
  return [
    `create function ${fn.name}(${args.join(', ')}) returns ${returnType(fn.returns)}`,
    `  ${attributes.join(' ')} ${body(fn)};`,
    `comment on function ${signature} is ${literal(fn.doc)};`,
    `revoke all on function ${signature} from public;`,
    ...(fn.grantee === 'none' ? [] : [`grant execute on function ${signature} to ${grantees[fn.grantee]};`]),
    '',
  ];
}

function view(file: string): string[] {
  const name = file.replace(/\.sql$/, '');
  const [doc, ...lines] = source('views', file).split('\n');
  if (doc === undefined || !doc.startsWith('-- '))
    throw new Error(`schema/views/${file}: the first line is no comment`);
  return [
    `create view ${name} as`,
    `${lines.join('\n')};`,
    `comment on view ${name} is ${literal(doc.slice(3))};`,
    `grant select on ${name} to linuxsql_reader, linuxsql_operator;`,
    '',
  ];
}

export function emitExtensionScript(relations: Relation[]): string {
  const views = readdirSync(join(process.cwd(), 'schema', 'views'))
    .filter((file) => file.endsWith('.sql'))
    .sort();
  return [
    `-- ${generatedNotice}`,
    prologue,
    ...relations.flatMap(foreignTable),
    refreshTables,
    ...functions.flatMap(sqlFunction),
    ...views.flatMap(view),
  ].join('\n');
}
