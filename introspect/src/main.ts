/** The introspection service: reads guest memory, answers scans. Ends on SIGTERM or SIGINT. */
import { log } from './log.js';
import { Machines } from './machine/machines.js';
import { helpText, parseOptions, UsageError, type Options } from './options.js';
import { listen } from './server/listen.js';

const drainMs = { idle: 250, busy: 25 };
const usageStatus = 2;

async function serve(options: Options): Promise<void> {
  const machines = new Machines(options.runDirectory);
  const stop = await listen({ path: options.socket, mode: options.mode, allowed: options.allowed }, machines, log);
  machines.startTicking(drainMs.idle, drainMs.busy);
  log(`listening on ${options.socket}`);
  let stopping = false;
  const end = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    log(`ending on ${signal}`);
    void stop()
      .then(() => machines.close())
      .then(() => process.exit(0));
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options) await serve(options);
  else process.stdout.write(helpText());
} catch (error) {
  log(error instanceof Error ? error.message : String(error));
  process.exit(error instanceof UsageError ? usageStatus : 1);
}
