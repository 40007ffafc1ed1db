/**
 * `npm run soak`: the kill test, many times over. Its last lines count the kills and the records that outlived them.
 * `npm run soak -- installcheck`: PostgreSQL's own regression suite in a guest.
 */
import { installcheck } from '../../../test/installcheck/run.js';
import { UserError } from '../base/fail.js';
import { checkout } from '../base/paths.js';
import { attach } from '../base/run.js';
import { ensureStages } from '../setup/stages.js';

const usual = '100';

function wholeNumber(text: string, what: string): string {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new UserError(`"${text}" is not a number of ${what}`, { exitCode: 2 });
  return text;
}

export async function soak(args: readonly string[]): Promise<number> {
  if (args[0] === 'installcheck' && args.length === 1) {
    await ensureStages();
    return installcheck();
  }
  const [kills = usual, seed = String((Date.now() % 1_000_000) + 1), ...others] = args;
  if (others.length > 0) throw new UserError('soak takes a number of kills and a seed', { exitCode: 2 });
  const env = {
    LINUXSQL_KILL_ROUNDS: wholeNumber(kills, 'kills'),
    LINUXSQL_KILL_SEED: wholeNumber(seed, 'a seed'),
    LINUXSQL_KILL_PROGRESS: '1',
  };
  await ensureStages();
  console.log(`${kills} kills from seed ${seed}; the same again: npm run soak -- ${kills} ${seed}`);
  return attach(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'test/kill.test.ts'], {
    cwd: checkout,
    env,
  });
}
