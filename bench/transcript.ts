/** What a console has shown so far, read forward marker by marker, each with the instant at which it arrived. */
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../cli/src/base/fail.js';

export interface Found {
  /** Which of the markers came first. */
  marker: string;
  /** What stood between the last match and this one. */
  before: string;
  /** When its last byte arrived, in nanoseconds of process.hrtime. */
  at: bigint;
}

export class Transcript {
  private rest = '';
  private arrived = 0n;
  private ended: string | undefined;
  private wake = (): void => undefined;

  constructor(readonly name: string) {}

  add(text: string): void {
    this.arrived = process.hrtime.bigint();
    this.rest += text;
    this.wake();
  }

  /** Nothing more will come; `why` is told to whoever waits. */
  end(why: string): void {
    this.ended ??= why;
    this.wake();
  }

  /** Waits for the first of some markers after the last match. */
  async until(markers: readonly string[], timeoutMs = 180_000): Promise<Found> {
    const limit = Date.now() + timeoutMs;
    for (;;) {
      const found = this.take(markers);
      if (found !== undefined) return found;
      const wanted = markers.map((marker) => JSON.stringify(marker)).join(' or ');
      const shown = this.rest.slice(-1000);
      if (this.ended !== undefined)
        throw new UserError(`${this.name} ended before ${wanted}`, { hint: `${shown}\n${this.ended}` });
      if (Date.now() > limit) throw new UserError(`${this.name} did not print ${wanted} in time`, { hint: shown });
      await Promise.race([new Promise<void>((resolve) => (this.wake = resolve)), sleep(1000)]);
    }
  }

  private take(markers: readonly string[]): Found | undefined {
    let first: { marker: string; index: number } | undefined;
    for (const marker of markers) {
      const index = this.rest.indexOf(marker);
      if (index >= 0 && (first === undefined || index < first.index)) first = { marker, index };
    }
    if (first === undefined) return undefined;
    const before = this.rest.slice(0, first.index);
    this.rest = this.rest.slice(first.index + first.marker.length);
    return { marker: first.marker, before, at: this.arrived };
  }
}

/** A console: what it shows, and its keyboard. */
export interface Terminal {
  transcript: Transcript;
  type(text: string): void | Promise<void>;
}

export function secondsBetween(from: bigint, to: bigint): number {
  return Number(to - from) / 1e9;
}
