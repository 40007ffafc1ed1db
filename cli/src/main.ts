/** The `linuxsql` command: finds the asked command, runs it, turns errors into one clear line and an exit code. */
import { commands, type Command } from './commands/table.js';
import { messageOf, UserError } from './base/fail.js';

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const lines = commands
    .filter(({ hidden }) => hidden !== true)
    .map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return `usage: linuxsql COMMAND [arguments]\n\n${lines.join('\n')}\n\nlinuxsql COMMAND --help tells more. DATABASE_URL names an existing server to use instead of the embedded one.`;
}

function helpOf({ name, usage, summary, details }: Command): string {
  return `usage: linuxsql ${name}${usage === '' ? '' : ` ${usage}`}\n\n${summary}${details === undefined ? '' : `\n\n${details}`}`;
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const asked = commands.find((command) => command.name === rest[0]);
    console.log(asked === undefined ? overview() : helpOf(asked));
    return name === undefined ? 2 : 0;
  }
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined)
    throw new UserError(`there is no command "${name}"`, { hint: 'linuxsql --help lists them.', exitCode: 2 });
  if (command.passesHelp !== true && (rest.includes('--help') || rest.includes('-h'))) {
    console.log(helpOf(command));
    return 0;
  }
  const run = await command.load();
  return run(rest);
}

function report(error: unknown): number {
  console.error(`linuxsql: ${messageOf(error)}`);
  if (error instanceof UserError) {
    if (error.hint !== undefined && error.hint !== '') console.error(error.hint);
    return error.exitCode;
  }
  if (process.env['LINUXSQL_DEBUG'] && error instanceof Error) console.error(error.stack);
  return 1;
}

process.umask(0o022); // what is made here must be readable for the server's account
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0); // `linuxsql … | head`
});
process.exitCode = await main(process.argv.slice(2)).catch(report);
