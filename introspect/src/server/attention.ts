/**
 * Scans that follow each other closely, as prepared lookups and the inner sides of joins do, find the service
 * awake: falling asleep between two of them and being woken costs both sides more than the work itself. So
 * after a request that came soon after the one before, the event loop looks for the next without sleeping, for
 * a moment. A lone request, and a host with one processor, cost nothing.
 */
import { availableParallelism } from 'node:os';

/** How soon after an answer the next request has to come, and how long it is then waited for. */
const soonMs = 0.5;

export class Attention {
  readonly #able = availableParallelism() > 1;
  #answeredAt = -Infinity;
  #soon = false;
  #looking = false;

  /** A request came. */
  asked(): void {
    this.#soon = performance.now() - this.#answeredAt < soonMs;
  }

  /** A request was answered. */
  answered(): void {
    this.#answeredAt = performance.now();
    if (!this.#soon || !this.#able || this.#looking) return;
    this.#looking = true;
    setImmediate(this.#look);
  }

  readonly #look = (): void => {
    this.#looking = performance.now() - this.#answeredAt < soonMs;
    // While an immediate is due, the loop polls its sockets without waiting.
    if (this.#looking) setImmediate(this.#look);
  };
}
