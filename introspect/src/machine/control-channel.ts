/**
 * A connection to one linuxsql-vm's control socket (docs/protocol.md, "Control"). An answer that is near is
 * awaited for a fraction of a millisecond in place, because that is cheaper than going through the event
 * loop; after that the channel polls without holding anybody up. Many requests may be under way: the machine
 * answers for its state while a view waits for the hart.
 */
import { frameType, helloMagic, protocolVersion } from '../gen/wire.js';
import { IntrospectError, introspectError } from '../errors.js';
import { FrameSplitter, type Frame } from '../wire/frame-splitter.js';
import { FrameWriter, PayloadReader } from '../wire/payload.js';
import { native } from './native.js';

const nearMicroseconds = 300;
const sendMicroseconds = 100_000;
/** A hart that runs or idles comes to rest within this; meanwhile other clients get their turns. */
const eagerMs = 5;
const eagerMicroseconds = 100;
const pollMs = 1;
const receiveBytes = 64 * 1024;

export interface Reply {
  type: number;
  fields: PayloadReader;
  /** File descriptors that came along; the taker closes them. */
  descriptors: number[];
}

interface Waiter {
  resolve: (frame: Frame) => void;
  reject: (error: unknown) => void;
  deadline: number;
}

export class ControlChannel {
  readonly #descriptor: number;
  readonly #splitter = new FrameSplitter();
  readonly #buffer = new Uint8Array(receiveBytes);
  readonly #waiters = new Map<bigint, Waiter>();
  #descriptors: number[] = [];
  #requests = 0n;
  #polling = false;
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
    if (this.#closed) throw introspectError('machineUnreachable', 'the connection to the machine is closed');
    const request = ++this.#requests;
    let answer: Frame | undefined;
    const answered = new Promise<Frame>((resolve, reject) => {
      const deadline = performance.now() + timeoutMs;
      this.#waiters.set(request, { resolve: (frame) => resolve((answer = frame)), reject, deadline });
    });
    try {
      this.#send(payload.frame(type, request));
      while (!answer && this.#receive(nearMicroseconds)) this.#deliver();
    } catch (error) {
      this.#lose(error);
    }
    if (!answer) this.#poll();
    return this.#accept(answer ?? (await answered));
  }

  /** Sends a request whose answer is of no interest; a later request skips it. */
  post(type: number, payload: FrameWriter): void {
    if (!this.#closed) this.#send(payload.frame(type, ++this.#requests));
  }

  /** Lets a little time pass, hearing what the machine says meanwhile. Throws machineUnreachable when it has gone. */
  listen(microseconds: number): void {
    try {
      if (!this.#closed && this.#receive(microseconds)) this.#deliver();
    } catch (error) {
      this.#lose(error);
    }
    if (this.#closed) throw introspectError('machineUnreachable', 'the machine closed the connection');
  }

  /** Whether the machine has closed the connection; looks without waiting. */
  lost(): boolean {
    if (this.#closed) return true;
    try {
      if (this.#receive(0)) this.#deliver();
    } catch (error) {
      this.#lose(error);
    }
    return this.#closed;
  }

  #send(frame: Buffer): void {
    native().send(this.#descriptor, frame, sendMicroseconds);
  }

  /** Whether bytes came. Throws at the end of the stream. */
  #receive(microseconds: number): boolean {
    const arrived: number[] = [];
    const got = native().receive(this.#descriptor, this.#buffer, 0, microseconds, arrived);
    this.#descriptors.push(...arrived);
    if (got === 0) throw introspectError('machineUnreachable', 'the machine closed the connection');
    if (got > 0) this.#splitter.add(Buffer.from(this.#buffer.subarray(0, got)));
    return got > 0;
  }

  /** Hands whole frames to who waits for them. */
  #deliver(): void {
    for (let frame = this.#splitter.next(); frame; frame = this.#splitter.next()) {
      if (frame.type === frameType.notice) continue;
      const waiter = this.#waiters.get(frame.request);
      this.#waiters.delete(frame.request);
      if (waiter) waiter.resolve(frame);
      else this.#decline(frame);
    }
  }

  /** A view that comes after its asker has given up would cost the machine for nothing. */
  #decline(frame: Frame): void {
    if (frame.type !== frameType.vmView) return;
    this.post(frameType.vmViewClose, new FrameWriter().u64(new PayloadReader(frame.payload).u64()));
  }

  /** Looks for answers while somebody waits for one: in short waits between other work first, then every millisecond. */
  #poll(): void {
    if (this.#polling || this.#closed) return;
    this.#polling = true;
    const eagerUntil = performance.now() + eagerMs;
    const look = () => {
      const eager = performance.now() < eagerUntil;
      try {
        let wait = eager ? eagerMicroseconds : 0;
        while (!this.#closed && this.#receive(wait)) {
          this.#deliver();
          wait = 0;
        }
        this.#expire();
      } catch (error) {
        this.#lose(error);
      }
      if (this.#waiters.size === 0) this.#polling = false;
      else if (eager) setImmediate(look);
      else setTimeout(look, pollMs);
    };
    setImmediate(look);
  }

  #expire(): void {
    const now = performance.now();
    for (const [request, waiter] of this.#waiters) {
      if (waiter.deadline > now) continue;
      this.#waiters.delete(request);
      this.#send(new FrameWriter().frame(frameType.cancel, request));
      waiter.reject(introspectError('machineUnreachable', 'the machine does not answer'));
    }
  }

  /** The machine is gone: everybody who waits hears of it. */
  #lose(error: unknown): void {
    this.close();
    for (const waiter of this.#waiters.values()) waiter.reject(unreachable(error));
    this.#waiters.clear();
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
