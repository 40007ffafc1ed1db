/** Whether something listens on a Unix socket. */
import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export function socketAnswers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
    socket.setTimeout(2000, () => settle(false));
  });
}

/** Waits until `ready` holds; false when it did not within the time. */
export async function waitUntil(
  ready: () => boolean | Promise<boolean>,
  timeoutMs: number,
  everyMs = 50,
): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    if (await ready()) return true;
    if (Date.now() >= end) return false;
    await sleep(everyMs);
  }
}
