/** Start of the program to the instant before the first user process, and to the shell's prompt. */
import { clock, timeUnit } from './clock.js';
import { allMachines, boot, type Machine } from './machines.js';
import { alternate } from './measure.js';
import type { Result } from './report.js';
import { secondsBetween } from './transcript.js';

export const prompt = 'linuxsql:~# ';

async function timeTo(machine: Machine, text: string): Promise<number> {
  const session = await boot(machine);
  try {
    const { at } = await session.transcript.until([text]);
    return clock === 'cpu' ? session.used() : secondsBetween(session.started, at);
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
  const machines = await allMachines();
  const to = async (benchmark: string, title: string, text: string): Promise<Result> => {
    const competitors = machines.map((machine) => ({ name: machine.name, run: () => timeTo(machine, text) }));
    const measurements = await alternate(competitors, rounds, onSample);
    return { benchmark, title, unit: timeUnit, larger: false, measurements };
  };
  return [
    await to('boot', 'start of the program to init', initLine),
    await to('boot-shell', 'start of the program to the shell prompt', prompt),
  ];
}
