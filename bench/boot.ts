/** Start of the program to the first line that user space prints, and to the shell's prompt. */
import { alternate } from './measure.js';
import { boot, ours, qemu, type Machine } from './machines.js';
import type { Result } from './report.js';

const prompt = 'linuxsql:~# ';

async function timeTo(machine: Machine, text: string): Promise<number> {
  const session = await boot(machine);
  try {
    return await session.until(text);
  } finally {
    await session.end();
  }
}

/** The kernel prints this line just before it runs the first user process. */
const initLine = 'Run /init as init process';

export async function bootBenchmark(
  rounds: number,
  onSample: (name: string, value: number) => void,
): Promise<Result[]> {
  const to = async (benchmark: string, text: string): Promise<Result> => {
    const competitors = [ours, qemu].map((machine) => ({ name: machine.name, run: () => timeTo(machine, text) }));
    return { benchmark, unit: 's', larger: false, measurements: await alternate(competitors, rounds, onSample) };
  };
  return [await to('boot to init', initLine), await to('boot to the shell prompt', prompt)];
}
