/** firmware/versions.lock: pinned inputs, one `name=value` a line. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/fail.js';
import { checkout } from '../base/paths.js';

let table: Map<string, string> | undefined;

function load(): Map<string, string> {
  const lines = readFileSync(join(checkout, 'firmware/versions.lock'), 'utf8').split('\n');
  const pairs = lines.filter((line) => /^[a-z0-9_]+=/.test(line));
  return new Map(pairs.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1).trim()]));
}

export function pinned(name: string): string {
  table ??= load();
  const value = table.get(name);
  if (value === undefined) throw new UserError(`firmware/versions.lock does not pin ${name}`);
  return value;
}
