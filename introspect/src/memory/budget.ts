import { WalkCut } from './guest-fault.js';

/**
 * How many steps a scan's walks may take in all. Every list node, tree node and array slot costs one, so a
 * hostile guest cannot make a scan endless, whatever its pointers say. A walk that finds its structure broken
 * ends there and says so through cut(); the scan's answer then carries the flag.
 */
export class Budget {
  #left: number;
  readonly total: number;
  #cut: string | undefined;

  constructor(steps: number) {
    this.total = steps;
    this.#left = steps;
  }

  /** Throws WalkCut once more than the total has been taken. */
  take(steps = 1): void {
    this.#left -= steps;
    if (this.#left >= 0) return;
    this.#cut ??= `walk cut short after ${this.total} steps`;
    throw new WalkCut(this.#cut);
  }

  /** Notes that a walk ended early; the first reason is kept. */
  cut(reason: string): void {
    this.#cut ??= reason;
  }

  get left(): number {
    return Math.max(0, this.#left);
  }

  /** Why something was left out, or undefined when every walk ran to its end. */
  get cutReason(): string | undefined {
    return this.#cut;
  }
}
