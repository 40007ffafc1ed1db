/**
 * One client connection: frames in, answers out (docs/protocol.md, "Rows"). Scans take turns of one batch, so
 * that cancels and other requests are heard between them. Any malformed frame ends the connection after its
 * ERROR.
 */
import type { Socket } from 'node:net';
import { LayoutError } from '../btf/layout.js';
import { IntrospectError, introspectError } from '../errors.js';
import { frameType, helloMagic, protocolVersion, schemaHash } from '../gen/wire.js';
import type { Log } from '../log.js';
import { GuestFault } from '../memory/guest-fault.js';
import type { Machine, MachineView } from '../machine/machine.js';
import type { Machines } from '../machine/machines.js';
import { resolveCondition } from '../machine/resolve.js';
import { FrameSplitter, type Frame } from '../wire/frame-splitter.js';
import { FrameWriter, PayloadReader } from '../wire/payload.js';
import { OpenParser, type OpenRequest } from '../scan/parse-open.js';
import { Attention } from './attention.js';
import { FramePool } from './frame-pool.js';
import { openScan } from './open-scan.js';
import { schemaAnswer } from './schema-answer.js';
import type { ScanTask } from './scan-task.js';

const serverName = 'introspect';
const mostRequests = 256;
/** Copying this much is cheaper than a second system call. */
const joinBytes = 16 * 1024;
/** How long a client that broke the protocol has to read why. */
const lingerMs = 1000;

export interface HeldView {
  machine: Machine;
  view: MachineView;
  /** What the client called the machine. */
  name: string;
}

/** A request under way: before its scan exists, task is undefined. */
interface Pending {
  /** It has had its last answer. */
  ended: boolean;
  task: ScanTask | undefined;
  starved: boolean;
}

export class Session {
  readonly #socket: Socket;
  readonly #machines: Machines;
  readonly #log: Log;
  readonly #splitter = new FrameSplitter();
  readonly #requests = new Map<bigint, Pending>();
  readonly #views = new Map<bigint, HeldView>();
  readonly #opens = new OpenParser();
  readonly #attention = new Attention();
  readonly #pool = new FramePool();
  #lastView = 0n;
  #greeted = false;
  #ended = false;
  /** A protocol error was answered: nothing more is read. */
  #refused = false;
  #scheduled = false;

  constructor(socket: Socket, machines: Machines, log: Log) {
    this.#socket = socket;
    this.#machines = machines;
    this.#log = log;
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('drain', () => this.#schedule());
    socket.on('error', () => this.close());
    socket.on('close', () => this.close());
  }

  /** Lets go of everything the client held. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const pending of this.#requests.values()) pending.task?.close();
    this.#requests.clear();
    for (const { machine, view } of this.#views.values()) machine.closeView(view);
    this.#views.clear();
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    this.#attention.asked();
    this.#splitter.add(bytes);
    while (!this.#ended && !this.#refused) {
      let request = 0n;
      try {
        const frame = this.#splitter.next();
        if (!frame) return;
        request = frame.request;
        this.#dispatch(frame);
      } catch (error) {
        this.#fail(request, error);
      }
    }
  }

  #dispatch(frame: Frame): void {
    const fields = new PayloadReader(frame.payload);
    if (!this.#greeted) {
      this.#greet(frame, fields);
      return;
    }
    switch (frame.type) {
      case frameType.ping:
        fields.end();
        this.#send(new FrameWriter().frame(frameType.pong, frame.request));
        return;
      case frameType.credit:
        this.#credit(frame.request, fields);
        return;
      case frameType.cancel:
        fields.end();
        this.#cancel(frame.request);
        return;
      case frameType.viewClose:
        this.#closeView(frame.request, fields);
        return;
      case frameType.open:
      case frameType.schema:
      case frameType.viewOpen:
      case frameType.resolve:
      case frameType.replay:
        this.#begin(frame, fields);
        return;
      default:
        if (!frame.optional) throw introspectError('protocol', `unknown frame type ${frame.type}`);
    }
  }

  #greet(frame: Frame, fields: PayloadReader): void {
    if (frame.type !== frameType.hello || fields.u32() !== helloMagic)
      throw introspectError('protocol', 'the first frame has to be HELLO');
    const [low, high] = [fields.u16(), fields.u16()];
    fields.text();
    fields.end();
    if (low > protocolVersion || high < protocolVersion) {
      throw introspectError('protocol', `the service speaks protocol version ${protocolVersion} only`);
    }
    this.#greeted = true;
    const welcome = new FrameWriter().u16(protocolVersion).text(schemaHash).text(serverName).u32(process.pid);
    this.#send(welcome.frame(frameType.welcome, frame.request));
  }

  /** Requests that may take time. */
  #begin(frame: Frame, fields: PayloadReader): void {
    const { request, type } = frame;
    if (this.#requests.has(request)) throw introspectError('protocol', 'a request number is used twice');
    if (this.#requests.size >= mostRequests) throw introspectError('tooMany', 'too many requests on one connection');
    const pending: Pending = { ended: false, task: undefined, starved: false };
    const work = this.#prepare(type, fields, request, pending);
    this.#requests.set(request, pending);
    work()?.catch((error: unknown) => this.#finish(request, pending, error));
  }

  /** Parses now, so that malformed frames fail in order; the work itself comes later. */
  #prepare(type: number, fields: PayloadReader, request: bigint, pending: Pending): () => Promise<void> | undefined {
    if (type === frameType.open) {
      const open = this.#opens.parse(fields);
      return () => this.#open(open, request, pending);
    }
    const machine = fields.text();
    if (type === frameType.resolve) {
      const condition = fields.text();
      fields.end();
      return async () => {
        const { metNow, condition: hartWords } = await resolveCondition(await this.#machines.find(machine), condition);
        this.#answer(
          request,
          pending,
          new FrameWriter()
            .u8(metNow ? 1 : 0)
            .text(hartWords)
            .frame(frameType.resolved, request),
        );
      };
    }
    if (type === frameType.replay) {
      const [checkpoint, until] = [fields.text(), fields.text()];
      fields.end();
      return () => this.#replay(request, pending, machine, checkpoint, until);
    }
    fields.end();
    if (type === frameType.schema) {
      return async () => this.#answer(request, pending, await schemaAnswer(machine, this.#machines, request));
    }
    return () => this.#openView(machine, request, pending);
  }

  /** A scan that waits for nothing has its first turn at once. */
  #open(open: OpenRequest, request: bigint, pending: Pending): Promise<void> | undefined {
    const start = (task: ScanTask) => {
      if (this.#ended || pending.ended) return task.close();
      pending.task = task;
      this.#run(request, pending);
    };
    try {
      const task = openScan(open, request, this.#machines, this.#heldView(open.view, open.machine), this.#pool);
      if (task instanceof Promise) return task.then(start);
      start(task);
    } catch (error) {
      this.#finish(request, pending, error);
    }
    return undefined;
  }

  async #openView(name: string, request: bigint, pending: Pending): Promise<void> {
    const machine = await this.#machines.find(name);
    const known = [...this.#views.values()].some((held) => held.machine === machine);
    if (known) throw introspectError('tooMany', `this connection holds a view of machine "${name}" already`);
    const view = await machine.openView();
    if (this.#ended || pending.ended) return machine.closeView(view);
    const id = ++this.#lastView;
    this.#views.set(id, { machine, view, name });
    this.#answer(
      request,
      pending,
      new FrameWriter().u64(id).u64(view.instret).u64(view.timeNs).frame(frameType.view, request),
    );
  }

  async #replay(request: bigint, pending: Pending, name: string, checkpoint: string, until: string): Promise<void> {
    const replayed = await this.#machines.replay(name, checkpoint || undefined, until || undefined);
    const { boot, instret, timeNs, seconds, hash, replayedHash } = replayed;
    const answer = new FrameWriter().u64(boot).u64(instret).u64(timeNs).f64(seconds).text(hash).text(replayedHash);
    this.#answer(request, pending, answer.frame(frameType.replayed, request));
  }

  #heldView(id: bigint, machine: string): HeldView | undefined {
    if (id === 0n) return undefined;
    const held = this.#views.get(id);
    if (!held || held.name !== machine) throw introspectError('viewUnknown', 'there is no such view');
    return held;
  }

  #closeView(request: bigint, fields: PayloadReader): void {
    const id = fields.u64();
    fields.end();
    const held = this.#views.get(id);
    if (!held) throw introspectError('viewUnknown', 'there is no such view');
    this.#views.delete(id);
    this.#send(new FrameWriter().u64(0n).u64(0n).u64(0n).u32(0).frame(frameType.done, request));
    held.machine.closeView(held.view);
  }

  #credit(request: bigint, fields: PayloadReader): void {
    const batches = fields.u32();
    fields.end();
    const pending = this.#requests.get(request);
    if (!pending?.task) return;
    pending.task.grant(batches);
    if (!pending.starved) return;
    pending.starved = false;
    this.#run(request, pending);
  }

  /** Answered at once; what is under way cleans up after itself when it comes back. */
  #cancel(request: bigint): void {
    const pending = this.#requests.get(request);
    if (pending)
      this.#finish(request, pending, introspectError('cancelled', 'canceling statement due to user request'));
  }

  /** Gives a scan one turn and asks for another if it needs one. */
  #run(request: bigint, pending: Pending): void {
    if (this.#socket.writableNeedDrain) return;
    const frames: Buffer[] = [];
    try {
      const result = pending.task!.turn((frame) => frames.push(frame));
      this.#sendAll(frames);
      if (result === 'done') this.#finish(request, pending, undefined);
      else if (result === 'starved') pending.starved = true;
      else this.#schedule();
    } catch (error) {
      this.#finish(request, pending, error);
    }
  }

  /** Small frames leave together: one write wakes the client once. */
  #sendAll(frames: Buffer[]): void {
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    if (frames.length > 1 && bytes <= joinBytes) {
      this.#send(Buffer.concat(frames, bytes));
      for (const frame of frames) this.#pool.giveBack(frame);
    } else for (const frame of frames) this.#sendPooled(frame);
  }

  #schedule(): void {
    if (this.#scheduled || this.#ended) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const [request, pending] of this.#requests) {
        if (!this.#ended && pending.task && !pending.starved) this.#run(request, pending);
      }
    });
  }

  #answer(request: bigint, pending: Pending, frame: Buffer): void {
    if (pending.ended) return;
    this.#requests.delete(request);
    this.#send(frame);
  }

  /** Ends a request that has a scan, failed or was cancelled; the first end counts. */
  #finish(request: bigint, pending: Pending, error: unknown): void {
    if (pending.ended) return;
    pending.ended = true;
    this.#requests.delete(request);
    pending.task?.close();
    this.#attention.answered();
    if (error !== undefined) this.#fail(request, error);
  }

  /** Sends ERROR; protocol errors end the connection too. */
  #fail(request: bigint, error: unknown): void {
    const told = toIntrospectError(error);
    if (told.code === 'internal')
      this.#log(`internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    if (this.#ended) return;
    const frame = new FrameWriter().ascii(told.sqlstate).text(told.message).text(told.detail).text(told.hint);
    this.#send(frame.frame(frameType.error, request));
    if (told.code !== 'protocol') return;
    this.#log(`client dropped: ${told.message}`);
    this.#refused = true;
    this.#socket.end(() => this.close());
    setTimeout(() => this.close(), lingerMs).unref();
  }

  #sendPooled(frame: Buffer): void {
    if (this.#ended || !this.#socket.writable) return;
    this.#socket.write(frame, (error) => {
      if (!error) this.#pool.giveBack(frame);
    });
  }

  #send(frame: Buffer): void {
    if (!this.#ended && this.#socket.writable) this.#socket.write(frame);
  }
}

function toIntrospectError(error: unknown): IntrospectError {
  if (error instanceof IntrospectError) return error;
  if (error instanceof LayoutError)
    return introspectError('layout', 'this kernel lacks what the relation needs', '', error.message);
  if (error instanceof GuestFault)
    return introspectError('kernelNotReady', 'guest memory could not be read', '', error.message);
  const message = error instanceof Error ? error.message : String(error);
  return introspectError('internal', `internal error of the introspection service: ${message}`);
}
