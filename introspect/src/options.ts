/** The command line: one table gives parsing, defaults and --help. */
interface Option {
  argument: string;
  doc: string;
  required?: boolean;
  many?: boolean;
}

const table: Record<string, Option> = {
  'run-dir': { argument: 'DIR', doc: 'run directory; machines are DIR/vm/NAME.sock', required: true },
  socket: { argument: 'PATH', doc: 'socket to listen on (default DIR/introspect.sock)' },
  mode: { argument: 'OCTAL', doc: 'mode of the socket, 600 or 660 (default 600)' },
  'allow-uid': {
    argument: 'UID',
    doc: 'user id that may connect besides root and the own one; may be repeated',
    many: true,
  },
  'vm-program': { argument: 'PATH', doc: 'linuxsql-vm, to replay machines to past instants (with --conninfo)' },
  conninfo: { argument: 'STRING', doc: 'how it connects to the database of the machines' },
  'past-machines': { argument: 'N', doc: 'past instants kept at a time, 1 to 64 (default 3)' },
};

export interface Options {
  runDirectory: string;
  socket: string;
  mode: number;
  allowed: number[];
  /** undefined: no replays. */
  program: { path: string; conninfo: string } | undefined;
  mostPast: number;
}

export class UsageError extends Error {}

export function helpText(): string {
  const lines = Object.entries(table).map(
    ([name, { argument, doc }]) => `  --${`${name} ${argument}`.padEnd(16)} ${doc}`,
  );
  return ['usage: introspect --run-dir DIR [options]', ...lines, ''].join('\n');
}

/** Throws UsageError with one line; undefined: help was asked for. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const given = new Map<string, string[]>();
  for (let i = 0; i < args.length; i++) {
    const argument = args[i]!;
    if (argument === '--help') return undefined;
    const [, name = '', inline] = /^--([a-z-]+)(?:=(.*))?$/s.exec(argument) ?? [];
    const option = table[name];
    if (!option) throw new UsageError(`unknown option ${argument}`);
    const value = inline ?? args[++i];
    if (value === undefined || value === '') throw new UsageError(`--${name} needs ${option.argument}`);
    if (given.has(name) && !option.many) throw new UsageError(`--${name} is given twice`);
    given.set(name, [...(given.get(name) ?? []), value]);
  }
  const runDirectory = given.get('run-dir')?.[0];
  if (runDirectory === undefined) throw new UsageError('--run-dir is missing');
  const mode = given.get('mode')?.[0] ?? '600';
  if (mode !== '600' && mode !== '660') throw new UsageError('--mode has to be 600 or 660');
  const allowed = (given.get('allow-uid') ?? []).map((text) => {
    if (!/^\d{1,10}$/.test(text)) throw new UsageError(`--allow-uid ${text} is no user id`);
    return Number(text);
  });
  const [path, conninfo] = [given.get('vm-program')?.[0], given.get('conninfo')?.[0]];
  if ((path === undefined) !== (conninfo === undefined))
    throw new UsageError('--vm-program and --conninfo belong together');
  const program = path === undefined || conninfo === undefined ? undefined : { path, conninfo };
  const mostPast = Number(given.get('past-machines')?.[0] ?? '3');
  if (!Number.isInteger(mostPast) || mostPast < 1 || mostPast > 64)
    throw new UsageError('--past-machines has to be 1 to 64');
  const socket = given.get('socket')?.[0] ?? `${runDirectory}/introspect.sock`;
  return { runDirectory, socket, mode: parseInt(mode, 8), allowed, program, mostPast };
}
