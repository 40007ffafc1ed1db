/**
 * A connection to one linuxsql-vm's control socket (docs/protocol.md, "Control"). An answer that is near is
 * awaited for a fraction of a millisecond in place, because that is cheaper than going through the event
 * loop; after that the channel polls without holding anybody up. One request is under way at a time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { frameType, helloMagic, protocolVersion } from '../gen/wire.js';
import { IntrospectError, introspectError } from '../errors.js';
import { FrameSplitter, type Frame } from '../wire/frame-splitter.js';
import { FrameWriter, PayloadReader } from '../wire/payload.js';
import { native } from './native.js';

const nearMicroseconds = 300;
const sendMicroseconds = 100_000;
const pollMs = 1;
const receiveBytes = 64 * 1024;

export interface Reply {
  type: number;
  fields: PayloadReader;
  /** File descriptors that came along; the taker closes them. */
  descriptors: number[];
}

export class ControlChannel {
  readonly #descriptor: number;
  readonly #splitter = new FrameSplitter();
  readonly #buffer = new Uint8Array(receiveBytes);
  #descriptors: number[] = [];
  #requests = 0n;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Connects and shakes hands; throws IntrospectError machineUnreachable. */
  static async connect(path: string, timeoutMs: number): Promise<ControlChannel> {
    let descriptor: number;
    try {
      descriptor = native().connectUnix(path);
    } catch (error) {
      throw unreachable(error);
    }
    const channel = new ControlChannel(descriptor);
    try {
      const hello = new FrameWriter().u32(helloMagic).u16(protocolVersion).u16(protocolVersion).text('introspect');
      const reply = await channel.request(frameType.hello, hello, timeoutMs);
      if (reply.type !== frameType.welcome)
        throw introspectError('protocol', 'the machine did not answer HELLO with WELCOME');
      return channel;
    } catch (error) {
      channel.close();
      throw error;
    }
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const descriptor of this.#descriptors) native().closeDescriptor(descriptor);
    native().closeDescriptor(this.#descriptor);
  }

  /** Sends a request and waits for its answer. ERROR answers are thrown; so is a silent or dead machine. */
  async request(type: number, payload: FrameWriter, timeoutMs: number): Promise<Reply> {
    const before = this.#turn;
    let release: () => void = () => undefined;
    this.#turn = new Promise<void>((resolve) => (release = resolve));
    await before;
    try {
      return await this.#exchange(type, payload, timeoutMs);
    } finally {
      release();
    }
  }

  /** Sends a request whose answer is of no interest; a later request skips it. */
  post(type: number, payload: FrameWriter): void {
    if (!this.#closed) this.#send(payload.frame(type, ++this.#requests));
  }

  /** Whether the machine has closed the connection; looks without waiting. */
  lost(): boolean {
    if (this.#closed) return true;
    try {
      this.#receive(0);
    } catch {
      this.close();
    }
    return this.#closed;
  }

  async #exchange(type: number, payload: FrameWriter, timeoutMs: number): Promise<Reply> {
    if (this.#closed) throw introspectError('machineUnreachable', 'the connection to the machine is closed');
    const request = ++this.#requests;
    try {
      this.#send(payload.frame(type, request));
      const reply = this.#await(request, nearMicroseconds) ?? (await this.#poll(request, timeoutMs));
      return this.#accept(reply);
    } catch (error) {
      if (error instanceof IntrospectError && error.code === 'machine') throw error;
      this.close();
      throw unreachable(error);
    }
  }

  #send(frame: Buffer): void {
    native().send(this.#descriptor, frame, sendMicroseconds);
  }

  /** The frame that answers request, if it comes within the time; stale answers are dropped. */
  #await(request: bigint, microseconds: number): Frame | undefined {
    for (;;) {
      const frame = this.#splitter.next();
      if (frame?.request === request && frame.type !== frameType.notice) return frame;
      if (!frame && !this.#receive(microseconds)) return undefined;
    }
  }

  /** Whether bytes came. Throws at the end of the stream. */
  #receive(microseconds: number): boolean {
    const arrived: number[] = [];
    const got = native().receive(this.#descriptor, this.#buffer, 0, microseconds, arrived);
    this.#descriptors.push(...arrived);
    if (got === 0) throw introspectError('machineUnreachable', 'the machine closed the connection');
    if (got > 0) this.#splitter.add(this.#buffer.subarray(0, got));
    return got > 0;
  }

  async #poll(request: bigint, timeoutMs: number): Promise<Frame> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      await sleep(pollMs);
      const frame = this.#await(request, 0);
      if (frame) return frame;
      if (performance.now() > deadline) throw introspectError('machineUnreachable', 'the machine does not answer');
    }
  }

  #accept(frame: Frame): Reply {
    const fields = new PayloadReader(frame.payload);
    if (frame.type === frameType.error) {
      const state = String.fromCharCode(...fields.bytes(5));
      throw new IntrospectError('machine', fields.text(), fields.text(), fields.text(), state);
    }
    const descriptors = this.#descriptors;
    this.#descriptors = [];
    return { type: frame.type, fields, descriptors };
  }
}

function unreachable(error: unknown): IntrospectError {
  if (error instanceof IntrospectError && error.code === 'machineUnreachable') return error;
  const reason = error instanceof Error ? error.message : String(error);
  return introspectError(
    'machineUnreachable',
    'the machine cannot be reached',
    "see vm_list() and the daemon's log",
    reason,
  );
}
