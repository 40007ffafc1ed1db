/**
 * Buffers for batches of rows, used again once the socket has taken what was in them: a scan of many batches
 * then writes into memory that is in the processor's cache, and leaves nothing to be collected.
 */
import { frameHeader } from '../gen/wire.js';

/** What the payload of a full batch comes to. */
export const targetBytes = 64 * 1024;
/** Rows of the widest relation are far smaller than the margin; text can make one larger, up to the frame limit. */
export const batchBytes = frameHeader.size + targetBytes + 4096;

/** Waiting to be used again; more are left to the collector. */
const mostWaiting = 8;

export class FramePool {
  readonly #waiting: Buffer[] = [];
  readonly #lent = new WeakSet<ArrayBufferLike>();

  /** batchBytes that nobody else writes; not zeroed. */
  take(): Buffer {
    const buffer = this.#waiting.pop() ?? Buffer.from(new ArrayBuffer(batchBytes));
    this.#lent.add(buffer.buffer);
    return buffer;
  }

  /** The frame has been sent, or was dropped: its bytes may be written again if they are the pool's. */
  giveBack(frame: Buffer): void {
    const { buffer } = frame;
    if (!this.#lent.delete(buffer) || this.#waiting.length >= mostWaiting) return;
    this.#waiting.push(Buffer.from(buffer));
  }
}
