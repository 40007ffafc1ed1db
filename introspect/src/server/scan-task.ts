/** One OPEN request on its way: fills batches while the client has granted credit, then says DONE. */
import { frameType } from '../gen/wire.js';
import type { ColumnType } from '../gen/relations.js';
import type { Machine, MachineView } from '../machine/machine.js';
import type { Cursor } from '../scan/cursor.js';
import { FrameWriter } from '../wire/payload.js';
import type { FramePool } from './frame-pool.js';
import { RowWriter } from './row-writer.js';

/** DONE flag: a bounded walk was cut short. */
const cutFlag = 1;

export interface ScanTaskOptions {
  request: bigint;
  cursor: Cursor;
  types: ColumnType[];
  credit: number;
  /** Where the buffers of its frames come from, and go when they have been sent. */
  pool: FramePool;
  /** performance.now() */
  startedMs: number;
  /** Told the number of rows when the scan has run to its end. */
  onDone: (rows: number) => void;
  /** The view the scan reads under, to be checked while it lasts; owned: closed with the scan. */
  hold: { machine: Machine; view: MachineView; owned: boolean } | undefined;
}

/** What a turn of work ended with. */
export type TurnResult = 'more' | 'starved' | 'done';

export class ScanTask {
  readonly request: bigint;
  readonly #options: ScanTaskOptions;
  readonly #writer: RowWriter;
  #credit: number;
  #ended = false;
  #more = true;

  constructor(options: ScanTaskOptions) {
    this.request = options.request;
    this.#options = options;
    this.#writer = new RowWriter(options.types, options.pool);
    this.#credit = options.credit;
  }

  grant(batches: number): void {
    this.#credit = Math.min(this.#credit + batches, 0xffff_ffff);
  }

  /** One batch's worth of work at most; frames go to send. Throws IntrospectError when the scan fails. */
  turn(send: (frame: Buffer) => void): TurnResult {
    const { cursor, hold } = this.#options;
    if (hold) hold.view.link.keeper.resume(hold.view);
    if (this.#more && !this.#writer.full) this.#more = cursor.fill(this.#writer);
    if (hold) hold.machine.requireHeld(hold.view);
    if (this.#writer.rows > 0 && (this.#writer.full || !this.#more)) {
      if (this.#credit === 0) return 'starved';
      this.#credit--;
      send(this.#writer.take(this.request));
    }
    if (this.#more) return 'more';
    this.#options.onDone(cursor.sent);
    const elapsedNs = Math.max(0, Math.round((performance.now() - this.#options.startedMs) * 1e6));
    const done = new FrameWriter()
      .u64(BigInt(cursor.sent))
      .u64(BigInt(cursor.examined))
      .u64(BigInt(elapsedNs))
      .u32(cursor.cut ? cutFlag : 0);
    send(done.frame(frameType.done, this.request));
    return 'done';
  }

  /** Ends the scan, finished or not, and lets its view go. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.cursor.close();
    const { hold } = this.#options;
    if (hold?.owned) hold.machine.closeView(hold.view);
  }
}
