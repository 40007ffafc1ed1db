/** One line per event on standard error. */
export type Log = (event: string) => void;

export const log: Log = (event) => {
  process.stderr.write(`introspect[${process.pid}]: ${event.replaceAll('\n', ' | ')}\n`);
};
