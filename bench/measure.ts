/** Alternating runs of competitors: whatever slows the machine down for a while slows all of them down. */
export interface Competitor {
  name: string;
  /** One run; returns what was measured, in the benchmark's unit. */
  run(): Promise<number>;
}

export interface Measurement {
  name: string;
  samples: number[];
  median: number;
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new Error('no samples');
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** Runs every competitor `rounds` times, in turn, after one unmeasured round each. */
export async function alternate(
  competitors: readonly Competitor[],
  rounds: number,
  onSample: (name: string, value: number) => void,
): Promise<Measurement[]> {
  const samples = new Map(competitors.map(({ name }) => [name, [] as number[]]));
  for (const { run } of competitors) await run();
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of competitors) {
      const value = await run();
      samples.get(name)?.push(value);
      onSample(name, value);
    }
  }
  return [...samples].map(([name, values]) => ({ name, samples: values, median: median(values) }));
}
