/** Progress of long transfers: how much, how fast. */
export interface Progress {
  /** Bytes of the image passed, holes included. */
  done: number;
  total: number;
  /** Bytes that really moved, and their rate since the start. */
  moved: number;
  movedPerSecond: number;
  finished: boolean;
}

export type ProgressListener = (progress: Progress) => void;

const intervalMs = 200;

/** Calls the listener a few times a second and once at the end. */
export class ProgressMeter {
  readonly #started = performance.now();
  #last = 0;
  #moved = 0;
  constructor(
    readonly total: number,
    readonly listener: ProgressListener | undefined,
  ) {}
  step(done: number, moved: number): void {
    this.#moved += moved;
    const now = performance.now();
    if (now - this.#last < intervalMs) return;
    this.#last = now;
    this.#tell(done, false);
  }
  finish(): void {
    this.#tell(this.total, true);
  }
  #tell(done: number, finished: boolean): void {
    const seconds = Math.max(performance.now() - this.#started, 1) / 1000;
    this.listener?.({ done, total: this.total, moved: this.#moved, movedPerSecond: this.#moved / seconds, finished });
  }
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0);

/** "rootfs: 812 of 8590 MB, 31 MB moved, 92 MB/s" */
export function progressLine(name: string, { done, total, moved, movedPerSecond }: Progress): string {
  return `${name}: ${megabytes(done)} of ${megabytes(total)} MB, ${megabytes(moved)} MB moved, ${megabytes(movedPerSecond)} MB/s`;
}
