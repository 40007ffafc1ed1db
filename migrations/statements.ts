/** Small steps that migrations share. A migration never imports application code: this file may only grow. */
import { sql, type Kysely } from 'kysely';

/** Comments of one table: its own, then each column's. */
export interface TableComments {
  table: string;
  doc: string;
  columns: Record<string, string>;
}

/** Run statements in order. */
export async function run(db: Kysely<unknown>, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** COMMENT ON for a table of schema linuxsql and all of its columns. */
export async function comment(db: Kysely<unknown>, comments: TableComments): Promise<void> {
  const table = `linuxsql.${comments.table}`;
  await run(db, [
    `comment on table ${table} is ${quoted(comments.doc)}`,
    ...Object.entries(comments.columns).map(([name, doc]) => `comment on column ${table}.${name} is ${quoted(doc)}`),
  ]);
}

/** Create a role without login unless the server has it. Roles belong to the server: `down` leaves them. */
export async function ensureRole(db: Kysely<unknown>, role: string): Promise<void> {
  await run(db, [
    `do $$ begin
       if not exists (select from pg_catalog.pg_roles where rolname = ${quoted(role)}) then
         create role ${role} nologin;
       end if;
     exception when duplicate_object or unique_violation then null; -- another session made it meanwhile
     end $$`,
  ]);
}
