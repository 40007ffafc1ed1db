/** `npm run lockstep -- [workloads=2000] [generated=10] [seed=1]`: figures in millions of instructions. */
import { runVolume, type Volume } from '../../../test/lockstep/volume.js';
import { UserError } from '../base/fail.js';
import { ensureStages } from '../setup/stages.js';

const defaults = { workloads: 2000, generated: 10, seed: 1 };

function parse(args: readonly string[]): Volume {
  const volume = { ...defaults };
  for (const arg of args) {
    const [, name = '', value = ''] = /^(\w+)=(\d+)$/.exec(arg) ?? [];
    if (name !== 'workloads' && name !== 'generated' && name !== 'seed')
      throw new UserError(`unknown argument ${arg}`, {
        hint: 'usage: lockstep [workloads=MILLIONS] [generated=MILLIONS] [seed=N]',
        exitCode: 2,
      });
    volume[name] = Number(value);
  }
  return volume;
}

export async function lockstep(args: readonly string[]): Promise<number> {
  const volume = parse(args);
  await ensureStages();
  return runVolume(volume);
}
