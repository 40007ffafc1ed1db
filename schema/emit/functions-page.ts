/** docs/functions.md. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { functions, type SqlFunction } from '../functions.js';
import { generatedNotice } from './text.js';

const cell = (text: string): string => text.replaceAll('|', '\\|');

function row(fn: SqlFunction): string {
  const args = fn.args.map(
    ({ name, type, default: value }) => `${name} ${type}${value === undefined ? '' : ` = ${value}`}`,
  );
  const result =
    typeof fn.returns === 'string' ? fn.returns : `rows of ${fn.returns.map(({ name }) => name).join(', ')}`;
  return `| ${cell(`\`${fn.name}(${args.join(', ')})\``)} | ${cell(result)} | ${fn.grantee} | ${cell(fn.doc)} |`;
}

function viewRow(file: string): string {
  const [comment = ''] = readFileSync(join(process.cwd(), 'schema', 'views', file), 'utf8').split('\n');
  return `| \`${file.replace(/\.sql$/, '')}\` | ${cell(comment.replace(/^-- /, ''))} |`;
}

export function emitFunctionsPage(): string {
  const views = readdirSync(join(process.cwd(), 'schema', 'views')).sort();
  return [
    '# Functions and views',
    '',
    `<!-- ${generatedNotice} -->`,
    '',
    'Functions of role *reader* may be executed by `linuxsql_reader` and `linuxsql_operator`, the others by `linuxsql_operator`.',
    'Where a function takes a machine, null stands for the current one: `linuxsql.machine`, or the only one there is.',
    '',
    '| function | returns | role | what it does |',
    '|---|---|---|---|',
    ...functions.map(row),
    '',
    '| view | what it shows |',
    '|---|---|',
    ...views.map(viewRow),
    '',
  ].join('\n');
}
