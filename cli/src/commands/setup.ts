import { step, elapsed } from '../base/log.js';
import { parseArguments } from './arguments.js';
import { ensureStages } from '../setup/stages.js';

export async function setup(args: readonly string[]): Promise<number> {
  parseArguments(args, {});
  await ensureStages();
  step('setup', `everything is made (${elapsed()})`);
  return 0;
}
