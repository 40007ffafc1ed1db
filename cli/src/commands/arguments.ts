/** Command line arguments: known flags and a fixed number of words, anything else is a usage error. */
import { UserError } from '../base/fail.js';

export interface Arguments {
  words: string[];
  flags: ReadonlySet<string>;
}

export function parseArguments(
  args: readonly string[],
  allowed: { flags?: readonly string[]; minWords?: number; maxWords?: number },
): Arguments {
  const flags = new Set<string>();
  const words: string[] = [];
  for (const arg of args) {
    if (!arg.startsWith('-')) words.push(arg);
    else if (allowed.flags?.includes(arg) === true) flags.add(arg);
    else throw usageError(`unknown option ${arg}`);
  }
  if (words.length < (allowed.minWords ?? 0)) throw usageError('an argument is missing');
  if (words.length > (allowed.maxWords ?? 0))
    throw usageError(`unexpected argument ${words[allowed.maxWords ?? 0] ?? ''}`);
  return { words, flags };
}

function usageError(message: string): UserError {
  return new UserError(message, { hint: '--help tells the usage.', exitCode: 2 });
}
