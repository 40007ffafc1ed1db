/**
 * What every foreign data wrapper of this project must answer alike: one list, run against each of them over the same
 * held machine and the same service (test/multicorn.test.ts).
 */
import { relations } from '../../schema/relations/index.js';

export interface Case {
  name: string;
  /** Names relations without a schema. */
  sql: string;
  /** Given as text, bound to parameters of a prepared statement, once with a custom and once with a generic plan. */
  values?: string[];
  /** Compare the order of the rows too. */
  ordered?: boolean;
  /** The rows there must be at least, so that a case cannot hold by finding nothing. */
  atLeast?: number;
  /** Run before in the same session. */
  before?: string;
}

/** The host's side of the dashboard: it changes from one look to the next while the machine is held. */
const ofTheHost = `metric not in ('hz', 'cpu_temp', 'host_run_ns', 'views_opened')`;

/** Empty on a machine that has not come across what they tell. */
const mayBeEmpty = new Set(['kernel_modules']);

function quoted(name: string): string {
  return `"${name}"`;
}

function contents(): Case[] {
  return relations.map(({ name, columns }) => {
    const all = columns.map((column) => quoted(column.name)).join(', ');
    const where = name === 'counters' ? ` where ${ofTheHost}` : '';
    const list = name === 'machines' ? all.replace('"hz", ', '') : all;
    return {
      name: `all of ${name}`,
      sql: `select ${list} from ${name}${where}`,
      atLeast: mayBeEmpty.has(name) ? 0 : 1,
    };
  });
}

function orders(): Case[] {
  return relations.flatMap(({ name, orders }) =>
    orders.map(({ column, descending }) => {
      const by = `${quoted(column)}${descending ? ' desc' : ''}`;
      return {
        name: `${name} in the order ${by}, first 20`,
        sql: `select ${quoted(column)} from ${name} order by ${by} limit 20`,
        ordered: true,
        atLeast: 1,
      };
    }),
  );
}

function totals(): Case[] {
  return relations.map(({ name }) => ({ name: `count of ${name}`, sql: `select count(*) from ${name}`, atLeast: 1 }));
}

function examples(): Case[] {
  return relations.map(({ name, example }) => ({ name: `the example of ${name}`, sql: example }));
}

/** A query for each condition, on the same relation. */
function where(relation: string, columns: string, conditions: string[]): Case[] {
  return conditions.map((condition) => ({
    name: `${relation} where ${condition}`,
    sql: `select ${columns} from ${relation} where ${condition}`,
  }));
}

const conditions: Case[] = [
  ...where('processes', 'pid, name, path, state, kthread', [
    'pid = 1',
    '1 = pid',
    'pid = 1::bigint',
    'pid <> 1',
    'pid < 3',
    '3 >= pid',
    'pid > 5 and pid <= 20',
    'pid between 2 and 6',
    'pid in (1, 2, 3, 99999)',
    'pid in (1, null)',
    'pid not in (1, 2)',
    'pid = any (array[1, 2]::bigint[])',
    'pid = any (array[]::bigint[])',
    'pid <> all (array[1, 2]::bigint[])',
    'pid = 1 or pid = 2',
    "pid = 1 or name = 'kthreadd'",
    "(ppid = 2 and kthread) or (ppid = 1 and state = 'S')",
    'not (pid = 1 or kthread)',
    'path is null',
    'path is not null',
    'path is null and not kthread',
    'kthread',
    'not kthread',
    'kthread = true',
    'kthread is not true',
    "name = 'truth_subject'",
    "name <> 'kthreadd'",
    "name in ('init', 'kthreadd', 'no such')",
    "name like 'k%'",
    "name like 'kworker/%:%'",
    "name like 'kthread_'",
    "name like '%d'",
    "name like '100\\%'",
    "name not like 'k%'",
    'name > \'m\' collate "C"',
    "name ilike 'K%'",
    'pid = -1',
    'pid = 9223372036854775807',
    'pid > 2.5',
    "pid::text = '1'",
    'pid % 2 = 0',
    'mm_addr < 0 and resident_size > 4096',
    'pid = ppid + 1',
    'pid = (select max(ppid) from processes where kthread)',
    'length(name) > 8 and kthread',
    "coalesce(path, 'none') = 'none'",
    'pid = null',
    'true',
    'false',
  ]),
  ...where('page_faults', 'seq, cause, fault_addr, pc, physical_page', [
    'seq = 10',
    'seq < 5',
    'seq >= 100 and seq < 120',
    "cause = 'Store page fault' and seq < 200",
    'physical_page is null and seq < 1000',
    'fault_addr < 0 and seq < 500',
    "priv = 'U' and seq < 300",
    'pid = 1 and seq < 2000',
    'scause in (13, 15) and seq < 50',
  ]),
  ...where('kernel_symbols', 'name, addr, type', [
    "name = 'init_task'",
    "name in ('init_task', 'schedule', 'vm_no_such_thing')",
    "name like 'sys_ope%'",
    "addr < 0 and name like 'init_t%'",
    'module is not null',
    "type = 'T' and name like 'do_%'",
  ]),
  ...where('counters', 'metric, unit', [
    "metric = 'instret'",
    "metric like 'block%'",
    'value >= 0 and value < 10',
    'value is null',
  ]),
  ...where('process_memory_map', 'pid, start, "end", permissions, path', [
    'pid = 1',
    'pid = 1 and start > 0',
    "path = '[stack]'",
    "path like '/usr/bin/%'",
    'pid in (1, 2) and pseudo = 0',
  ]),
];

const bound: Case[] = [
  { name: 'a pid', sql: 'select name from processes where pid = $1::bigint', values: ['1'], atLeast: 1 },
  { name: 'a range', sql: 'select pid from processes where pid >= $1::bigint and pid < $2::int', values: ['2', '9'] },
  { name: 'a null', sql: 'select pid from processes where pid = $1::bigint or path = $2', values: ['1', ''] },
  { name: 'a name', sql: 'select pid from processes where name = $1::text', values: ['kthreadd'], atLeast: 1 },
  {
    name: 'a list',
    sql: 'select pid, name from processes where pid = any ($1::bigint[])',
    values: ['{1,2,NULL}'],
    atLeast: 2,
  },
  {
    name: 'names',
    sql: 'select pid from processes where name = any ($1::text[])',
    values: ['{init,"a,b",kthreadd}'],
    atLeast: 1,
  },
  { name: 'a pattern', sql: 'select pid, name from processes where name like $1::text', values: ['kw%'], atLeast: 1 },
  { name: 'a truth', sql: 'select pid from processes where kthread = $1::bool', values: ['true'], atLeast: 1 },
  { name: 'a number', sql: 'select metric from counters where value > $1::float8', values: ['0.5'], atLeast: 1 },
  {
    name: 'an address',
    sql: `select count(*) from kernel_symbols where addr >= $1::bigint`,
    values: ['-2147483648'],
    atLeast: 1,
  },
  {
    name: 'a limit',
    sql: 'select pid from processes order by pid limit $1::bigint',
    values: ['4'],
    ordered: true,
    atLeast: 4,
  },
];

const nested = 'set enable_hashjoin = off; set enable_mergejoin = off; set enable_material = off';

const joins: Case[] = [
  {
    name: 'files of processes',
    sql: `select p.pid, p.name, f.fd, f.path from processes p join process_open_files f on f.pid = p.pid where not p.kthread`,
    atLeast: 3,
  },
  {
    name: 'files of processes, by key',
    sql: `select p.pid, f.fd, f.path from processes p join process_open_files f on f.pid = p.pid where p.ppid < 3`,
    before: nested,
    atLeast: 3,
  },
  {
    name: 'areas of one process, by two keys',
    sql: `select m.pid, m.start, n.path from process_memory_map m join process_memory_map n on n.pid = m.pid and n.start = m."end"
          where m.pid = 1`,
    before: nested,
  },
  {
    name: 'parents',
    sql: 'select c.pid, c.name, p.name from processes c left join processes p on p.pid = c.ppid',
    before: nested,
    atLeast: 10,
  },
  {
    name: 'a task and its symbol',
    sql: `select s.name, t.tid, t.comm from kernel_symbols s left join threads t on t.task_addr = s.addr where s.name = 'init_task'`,
    atLeast: 1,
  },
  {
    name: 'lateral, two areas each',
    sql: `select p.pid, m.start from processes p,
          lateral (select start from process_memory_map where pid = p.pid order by start limit 2) m`,
    atLeast: 2,
  },
  {
    name: 'semi join',
    sql: 'select pid from processes where pid in (select tgid from threads where tid <> tgid)',
    atLeast: 1,
  },
  {
    name: 'anti join',
    sql: 'select pid from processes p where not exists (select from process_open_files f where f.pid = p.pid)',
    atLeast: 1,
  },
  {
    name: 'correlated',
    sql: 'select pid, (select count(*) from threads t where t.tgid = p.pid) = threads from processes p',
    atLeast: 10,
  },
  {
    name: 'grouped',
    sql: `select priv, cause, count(*), min(seq), max(instret) from page_faults group by priv, cause`,
    atLeast: 2,
  },
  {
    name: 'windowed',
    sql: 'select pid, ppid, row_number() over (partition by ppid order by pid) from processes',
    atLeast: 10,
  },
  { name: 'union', sql: 'select pid from processes union select tid from threads except select 1', atLeast: 10 },
  {
    name: 'recursive',
    sql: `with recursive t as (select pid, 0 as depth from processes where ppid = 0
          union all select p.pid, t.depth + 1 from processes p join t on p.ppid = t.pid) select * from t`,
    atLeast: 10,
  },
  { name: 'no columns', sql: 'select from processes', atLeast: 10 },
  { name: 'the whole row', sql: 'select m from mounts m', atLeast: 2 },
  {
    name: 'limit with an offset',
    sql: 'select pid from processes order by pid limit 3 offset 2',
    ordered: true,
    atLeast: 3,
  },
  {
    name: 'limit under a condition',
    sql: 'select pid from processes where kthread order by pid limit 3',
    ordered: true,
    atLeast: 3,
  },
  { name: 'limit 0', sql: 'select pid from processes limit 0' },
  {
    name: 'an order nobody declared',
    sql: 'select pid from processes order by ppid desc, pid',
    ordered: true,
    atLeast: 10,
  },
  {
    name: 'nulls in order',
    sql: 'select path, pid from processes order by path collate "C" nulls first, pid',
    ordered: true,
    atLeast: 10,
  },
  {
    name: 'declared order, nulls asked for first',
    sql: 'select seq from dmesg order by seq nulls first limit 5',
    ordered: true,
    atLeast: 5,
  },
];

export const cases: Case[] = [
  ...contents(),
  ...totals(),
  ...orders(),
  ...examples(),
  ...conditions,
  ...bound,
  ...joins,
];

/** Statements that must fail, with this SQLSTATE. */
export const refusals: { name: string; sql: string; sqlstate: string }[] = [
  { name: 'insert', sql: "insert into processes (pid, name) values (1, 'x')", sqlstate: '0A000' },
  { name: 'update', sql: "update processes set name = 'x' where pid = 1", sqlstate: '0A000' },
  { name: 'delete', sql: 'delete from processes where pid = 1', sqlstate: '0A000' },
  { name: 'an unknown relation', sql: 'select * from no_such_relation', sqlstate: 'HV00R' },
  { name: 'an unknown machine', sql: 'select * from elsewhere', sqlstate: '42704' },
  {
    name: 'an unknown foreign schema',
    sql: 'import foreign schema windows from server vm1 into nowhere',
    sqlstate: 'HV00Q',
  },
];
