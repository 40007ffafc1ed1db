/** Progress lines: `[stage] text`, on standard error so that a command's own output stays clean. */
const started = Date.now();

export function step(stage: string, text: string): void {
  process.stderr.write(`[${stage}] ${text}\n`);
}

/** Seconds since the command began, as "12.3 s". */
export function elapsed(since: number = started): string {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}
