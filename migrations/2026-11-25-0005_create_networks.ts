/** Networks of machines: what a guest may reach, and the ports of the host that lead to it. */
import { sql, type Kysely } from 'kysely';
import { comment, run, type TableComments } from './statements.js';

const forwardComments: TableComments = {
  table: 'machine_forward',
  doc: 'TCP ports of the host that lead to ports of a guest; its daemon opens them when it starts.',
  columns: {
    machine: 'its machine',
    host_address: 'IPv4 address on which the daemon listens; the loopback unless told otherwise',
    host_port: 'port on the host',
    guest_port: 'port in the guest',
  },
};

const networkDoc =
  'what its network card reaches: isolated (only forwarded ports come in), outside (what the host reaches, but not the host itself), host (its loopback too, as 10.0.2.2); null = no card';

export async function up(db: Kysely<unknown>): Promise<void> {
  const port = sql`between 1 and 65535`;
  await db.schema
    .withSchema('linuxsql')
    .alterTable('machine')
    .addColumn('network', 'text', (c) => c.check(sql`network in ('isolated', 'outside', 'host')`))
    .execute();
  await db.schema
    .withSchema('linuxsql')
    .createTable('machine_forward')
    .addColumn('machine', 'bigint', (c) => c.notNull().references('linuxsql.machine.id').onDelete('cascade'))
    .addColumn('host_address', sql`inet`, (c) =>
      c
        .notNull()
        .defaultTo('127.0.0.1')
        .check(sql`family(host_address) = 4 and masklen(host_address) = 32`),
    )
    .addColumn('host_port', 'integer', (c) => c.notNull().check(sql`host_port ${port}`))
    .addColumn('guest_port', 'integer', (c) => c.notNull().check(sql`guest_port ${port}`))
    .addPrimaryKeyConstraint('machine_forward_pkey', ['machine', 'host_address', 'host_port'])
    .execute();
  await comment(db, forwardComments);
  await run(db, [
    `comment on column linuxsql.machine.network is '${networkDoc}'`,
    'grant select (network) on linuxsql.machine to linuxsql_reader',
    'grant select on linuxsql.machine_forward to linuxsql_reader',
    'grant select, insert, update, delete on linuxsql.machine_forward to linuxsql_operator',
  ]);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await run(db, ['drop table linuxsql.machine_forward', 'alter table linuxsql.machine drop column network']);
}
