/** SQL functions of the extension. Bodies in SQL or PL/pgSQL stand in schema/bodies/<name>.sql; C ones in fdw/src/. */

/** Who may execute a function: readers (operators too), operators, or nobody but the extension itself. */
export type Grantee = 'reader' | 'operator' | 'none';

export interface Argument {
  name: string;
  type: string;
  default?: string;
}

export interface SqlFunction {
  name: string;
  args: Argument[];
  /** A type, or the columns of a table. */
  returns: string | { name: string; type: string }[];
  /** c: symbol linuxsql_<name>. sql: the body of a query, bound at creation. plpgsql: bound at run time. */
  language: 'c' | 'sql' | 'plpgsql';
  volatility: 'immutable' | 'stable' | 'volatile';
  strict?: boolean;
  grantee: Grantee;
  doc: string;
}

const machine: Argument = { name: 'machine', type: 'text', default: 'null' };

const stateColumns = [
  { name: 'machine', type: 'text' },
  { name: 'state', type: 'text' },
  { name: 'instret', type: 'bigint' },
  { name: 'pc', type: 'bigint' },
  { name: 'guest_time', type: 'interval' },
  { name: 'host_seconds', type: 'double precision' },
  { name: 'hz', type: 'bigint' },
  { name: 'memory_bytes', type: 'bigint' },
  { name: 'generation', type: 'bigint' },
];

const control: SqlFunction[] = [
  {
    name: 'vm_step_until',
    args: [{ name: 'condition', type: 'text' }, { name: 'max_insns', type: 'bigint', default: '10000000000' }, machine],
    returns: [
      { name: 'stopped_by', type: 'text' },
      { name: 'condition_met', type: 'boolean' },
      { name: 'instret', type: 'bigint' },
      { name: 'executed', type: 'bigint' },
      { name: 'pc', type: 'bigint' },
      { name: 'guest_time', type: 'interval' },
      { name: 'host_seconds', type: 'double precision' },
      { name: 'mips', type: 'double precision' },
    ],
    language: 'c',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'run a machine until a condition holds or the budget is spent, and pause it: init:proc, pc:0x…, sym:NAME, console:TEXT, fault:load|store|instruction, proc:NAME, syscall:NAME, instret:N, idle',
  },
  {
    name: 'vm_start',
    args: [machine, { name: 'paused', type: 'boolean', default: 'false' }],
    returns: 'text',
    language: 'c',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'let the supervisor start a machine once the transaction commits: running, or paused before its first instruction; returns the desired state',
  },
  {
    name: 'vm_stop',
    args: [machine, { name: 'force', type: 'boolean', default: 'false' }],
    returns: 'text',
    language: 'c',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'end the daemon of a machine: its disk is flushed first, unless forced',
  },
  {
    name: 'vm_pause',
    args: [machine],
    returns: stateColumns,
    language: 'c',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'stop a machine at an instruction boundary',
  },
  {
    name: 'vm_resume',
    args: [machine],
    returns: stateColumns,
    language: 'c',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'let a machine run, its idle time paced to the clock of the host',
  },
  {
    name: 'vm_status',
    args: [machine, { name: 'missing_ok', type: 'boolean', default: 'false' }],
    returns: stateColumns,
    language: 'c',
    volatility: 'volatile',
    grantee: 'reader',
    doc: 'state of a machine as its daemon tells; no row if it does not answer and missing_ok',
  },
  {
    name: 'vm_console_write',
    args: [{ name: 'text', type: 'text' }, machine],
    returns: 'integer',
    language: 'c',
    volatility: 'volatile',
    grantee: 'operator',
    doc: "type on the console of a machine; returns the bytes taken. A line ends with a newline: E'ls\\n'",
  },
  {
    name: 'vm_create',
    args: [
      { name: 'name', type: 'text' },
      { name: 'kernel', type: 'text', default: 'null' },
      { name: 'firmware', type: 'text', default: 'null' },
      { name: 'disk', type: 'text', default: 'null' },
      { name: 'initrd', type: 'text', default: 'null' },
      { name: 'memory', type: 'text', default: "'1 GB'" },
      { name: 'bootargs', type: 'text', default: 'null' },
      { name: 'disk_size', type: 'text', default: 'null' },
      { name: 'seed', type: 'bytea', default: 'null' },
      { name: 'autostart', type: 'boolean', default: 'false' },
      { name: 'network', type: 'text', default: 'null' },
    ],
    returns: 'text',
    language: 'plpgsql',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'a machine made of images in the database, stopped; the newest kernel and firmware where none is named, the newest disk where no disk, disk size or initrd is; sizes as pg_size_bytes takes them; network as for vm_network',
  },
  {
    name: 'vm_destroy',
    args: [{ name: 'name', type: 'text' }],
    returns: 'void',
    language: 'plpgsql',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'drop a stopped machine with its disk, checkpoints and log',
  },
  {
    name: 'vm_list',
    args: [],
    returns: [
      { name: 'machine', type: 'text' },
      { name: 'state', type: 'text' },
      { name: 'desired', type: 'text' },
      { name: 'autostart', type: 'boolean' },
      { name: 'instret', type: 'bigint' },
      { name: 'pc', type: 'bigint' },
      { name: 'guest_time', type: 'interval' },
      { name: 'hz', type: 'bigint' },
      { name: 'memory_bytes', type: 'bigint' },
      { name: 'ended', type: 'text' },
    ],
    language: 'plpgsql',
    volatility: 'volatile',
    grantee: 'reader',
    doc: 'all machines of the database and what their daemons tell; state stopped where none answers',
  },
];

const state: SqlFunction[] = [
  {
    name: 'vm_current',
    args: [machine],
    returns: 'text',
    language: 'c',
    volatility: 'stable',
    grantee: 'reader',
    doc: 'the machine that functions mean when they are not told one: linuxsql.machine, or the only one there is',
  },
  {
    name: 'vm_checkpoint',
    args: [{ name: 'name', type: 'text' }, machine],
    returns: [
      { name: 'checkpoint', type: 'bigint' },
      { name: 'instret', type: 'bigint' },
      { name: 'guest_time', type: 'interval' },
      { name: 'paused_ms', type: 'double precision' },
      { name: 'stored_bytes', type: 'bigint' },
      { name: 'seconds', type: 'double precision' },
    ],
    language: 'c',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'save memory, processor, devices and disk of a running or paused machine under a name; the guest goes on after paused_ms while its changed memory (stored_bytes) is written. Not inside a transaction block',
  },
  {
    name: 'vm_restore',
    args: [{ name: 'name', type: 'text' }, machine],
    returns: 'text',
    language: 'c',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'make a checkpoint the present of its machine, which then stands paused; what it was is gone unless it has a checkpoint of its own. A stopped machine goes on from there when it starts. Not inside a transaction block',
  },
  {
    name: 'vm_fork',
    args: [{ name: 'name', type: 'text' }, { name: 'new_machine', type: 'text' }, machine],
    returns: 'text',
    language: 'plpgsql',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'a new machine, stopped, that goes on from a checkpoint of another one when it starts; nothing is copied',
  },
  {
    name: 'vm_snapshots',
    args: [],
    returns: [
      { name: 'machine', type: 'text' },
      { name: 'name', type: 'text' },
      { name: 'instret', type: 'bigint' },
      { name: 'guest_time', type: 'interval' },
      { name: 'created_at', type: 'timestamptz' },
      { name: 'automatic', type: 'boolean' },
      { name: 'stored_bytes', type: 'bigint' },
      { name: 'ram_layers', type: 'integer' },
      { name: 'disk_layers', type: 'integer' },
    ],
    language: 'plpgsql',
    volatility: 'stable',
    grantee: 'reader',
    doc: 'every checkpoint of every machine, oldest first; stored_bytes is the memory written for it, the layers say how long its chains are',
  },
  {
    name: 'vm_checkpoint_delete',
    args: [{ name: 'name', type: 'text' }, machine],
    returns: 'void',
    language: 'plpgsql',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'delete a checkpoint and the layers that nothing else needs',
  },
  {
    name: 'vm_checkpoint_every',
    args: [{ name: 'instructions', type: 'bigint' }, { name: 'keep', type: 'integer', default: '3' }, machine],
    returns: 'void',
    language: 'plpgsql',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'let a machine take a checkpoint on its own after every so many instructions (at least a million; null ends it) and keep the newest ones; a running machine does so once the transaction commits',
  },
  {
    name: 'vm_state_hash',
    args: [machine],
    returns: 'text',
    language: 'c',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'SHA-256 of everything the guest can see: processor, devices, memory. Machines with equal hashes go on equally',
  },
];

const hostAddress: Argument = { name: 'host_address', type: 'inet', default: "'127.0.0.1'" };

const network: SqlFunction[] = [
  {
    name: 'vm_network',
    args: [
      { name: 'machine', type: 'text' },
      { name: 'access', type: 'text', default: "'isolated'" },
    ],
    returns: 'text',
    language: 'plpgsql',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'give a machine a network card from its next start on: isolated (only forwarded ports come in), outside (what the host reaches, but not its loopback), host (the loopback too, as 10.0.2.2); null takes it away',
  },
  {
    name: 'vm_forward_apply',
    args: [
      { name: 'machine', type: 'text' },
      { name: 'forward', type: 'text' },
      { name: 'present', type: 'boolean' },
    ],
    returns: 'boolean',
    language: 'c',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'part of vm_forward and vm_forward_remove: what a running daemon does now, tcp:ADDRESS:PORT-:PORT; false when none runs',
  },
  {
    name: 'vm_forward',
    args: [
      { name: 'machine', type: 'text' },
      { name: 'host_port', type: 'integer' },
      { name: 'guest_port', type: 'integer' },
      hostAddress,
    ],
    returns: 'text',
    language: 'plpgsql',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'let a TCP port of the host lead to one of the guest, now and at every start; on the loopback unless an address is given. A running machine listens at once, even if the transaction is rolled back later',
  },
  {
    name: 'vm_forward_remove',
    args: [{ name: 'machine', type: 'text' }, { name: 'host_port', type: 'integer' }, hostAddress],
    returns: 'void',
    language: 'plpgsql',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'undo vm_forward; connections that stand go on',
  },
  {
    name: 'vm_forwards',
    args: [],
    returns: [
      { name: 'machine', type: 'text' },
      { name: 'access', type: 'text' },
      { name: 'host_address', type: 'inet' },
      { name: 'host_port', type: 'integer' },
      { name: 'guest_port', type: 'integer' },
    ],
    language: 'plpgsql',
    volatility: 'stable',
    grantee: 'reader',
    doc: 'ports of the host that lead to guests',
  },
];

const past: SqlFunction[] = [
  {
    name: 'vm_at',
    args: [
      { name: 'machine', type: 'text' },
      { name: 'instret', type: 'bigint' },
      { name: 'boot', type: 'bigint', default: 'null' },
    ],
    returns: 'text',
    language: 'plpgsql',
    volatility: 'volatile',
    grantee: 'reader',
    doc: 'let the foreign tables of this session show a machine as it was when it had retired so many instructions of its present boot, or of another; null for the present again; returns what they show',
  },
  {
    name: 'vm_replay',
    args: [
      machine,
      { name: 'checkpoint', type: 'text', default: 'null' },
      { name: 'until', type: 'text', default: 'null' },
    ],
    returns: [
      { name: 'boot', type: 'bigint' },
      { name: 'instret', type: 'bigint' },
      { name: 'guest_time', type: 'interval' },
      { name: 'equal', type: 'boolean' },
      { name: 'state_sha256', type: 'text' },
      { name: 'replayed_sha256', type: 'text' },
      { name: 'host_seconds', type: 'double precision' },
    ],
    language: 'c',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'live a machine’s past again from the input log, from a checkpoint (null: the beginning of the boot) until another one (null: where it stands now), and compare the hashes of everything',
  },
];

const reading: SqlFunction[] = [
  {
    name: 'hex',
    args: [{ name: 'value', type: 'bigint' }],
    returns: 'text',
    language: 'sql',
    volatility: 'immutable',
    strict: true,
    grantee: 'reader',
    doc: 'an address as 0x…, the two’s complement of a negative one',
  },
  {
    name: 'vm_proc_tree',
    args: [],
    returns: [
      { name: 'tree_display', type: 'text' },
      { name: 'pid', type: 'bigint' },
      { name: 'ppid', type: 'bigint' },
      { name: 'comm', type: 'text' },
      { name: 'state', type: 'text' },
      { name: 'uid', type: 'bigint' },
      { name: 'vmrss_kb', type: 'bigint' },
      { name: 'threads', type: 'integer' },
      { name: 'start_time', type: 'bigint' },
      { name: 'task_addr', type: 'bigint' },
    ],
    language: 'sql',
    volatility: 'stable',
    grantee: 'reader',
    doc: 'processes of the current machine as a tree, kernel threads in parentheses; start_time in seconds from boot',
  },
  {
    name: 'vm_dashboard',
    args: [],
    returns: [
      { name: 'metric', type: 'text' },
      { name: 'value', type: 'double precision' },
    ],
    language: 'sql',
    volatility: 'stable',
    grantee: 'reader',
    doc: 'counters of the current machine and its host; null where a figure cannot be had here',
  },
];

const refresh: SqlFunction[] = [
  {
    name: 'vm_refresh_every',
    args: [
      { name: 'view', type: 'regclass' },
      { name: 'every', type: 'interval' },
    ],
    returns: 'text',
    language: 'plpgsql',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'refresh a materialized view again and again, by pg_cron or by the refresh worker; returns which',
  },
  {
    name: 'vm_refresh_stop',
    args: [{ name: 'view', type: 'regclass' }],
    returns: 'boolean',
    language: 'plpgsql',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'end the schedule of a materialized view; false if it had none',
  },
  {
    name: 'vm_refresh_run',
    args: [{ name: 'view', type: 'regclass' }],
    returns: 'boolean',
    language: 'plpgsql',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'one refresh of a scheduled view, concurrently if it has a unique index; false and a row of vm_refresh_log if it failed',
  },
  {
    name: 'vm_refresh_worker',
    args: [],
    returns: 'boolean',
    language: 'c',
    volatility: 'volatile',
    grantee: 'operator',
    doc: 'see that the refresh worker of this database runs; false if no worker can be had',
  },
];

/** In the order of their creation. */
export const functions: SqlFunction[] = [...network, ...control, ...state, ...reading, ...past, ...refresh];
