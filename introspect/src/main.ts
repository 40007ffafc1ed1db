/** The introspection service: reads guest memory, answers scans. Ends on SIGTERM or SIGINT, or when its socket is gone. */
import { existsSync } from 'node:fs';
import { log } from './log.js';
import { Machines } from './machine/machines.js';
import { helpText, parseOptions, UsageError, type Options } from './options.js';
import { listen } from './server/listen.js';

const drainMs = { idle: 250, busy: 25 };
/** Nobody can reach a service whose socket has been removed, with its run directory say. */
const socketCheckMs = 5000;
const usageStatus = 2;

async function serve(options: Options): Promise<void> {
  const machines = new Machines(options.runDirectory, options.program, options.mostPast);
  const stop = await listen({ path: options.socket, mode: options.mode, allowed: options.allowed }, machines, log);
  machines.startTicking(drainMs.idle, drainMs.busy);
  log(`listening on ${options.socket}`);
  let stopping = false;
  const end = (reason: string) => {
    if (stopping) return;
    stopping = true;
    log(`ending: ${reason}`);
    void stop()
      .then(() => machines.close())
      .then(() => process.exit(0));
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  setInterval(() => {
    if (!existsSync(options.socket)) end('its socket is gone');
  }, socketCheckMs).unref();
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options) await serve(options);
  else process.stdout.write(helpText());
} catch (error) {
  log(error instanceof Error ? error.message : String(error));
  process.exit(error instanceof UsageError ? usageStatus : 1);
}
