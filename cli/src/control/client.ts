/** A connection to a machine's control socket (docs/protocol.md, "Control"). */
import { createConnection, type Socket } from 'node:net';
import { frameType, helloMagic, protocolVersion } from '../../../schema/layout/wire.js';
import { machineState } from '../../../schema/layout/telemetry.js';
import { encodeFrame, FrameReader, PayloadReader, PayloadWriter, type Frame } from './frames.js';

const types = new Map(frameType.entries.map(({ name, value }) => [name, value]));
const stateNames = new Map(machineState.entries.map(({ name, value }) => [value, name]));

function typeOf(name: string): number {
  const value = types.get(name);
  if (value === undefined) throw new Error(`no frame type ${name}`);
  return value;
}

const errorType = typeOf('error');

export interface MachineStatus {
  state: string;
  stopReason: number;
  instret: bigint;
  pc: bigint;
  timeNs: bigint;
  hostRunNs: bigint;
  ramBytes: bigint;
  hz: bigint;
  generation: bigint;
  machine: string;
}

export interface StepResult {
  stoppedBy: string;
  conditionMet: boolean;
  instret: bigint;
  executed: bigint;
  pc: bigint;
  timeNs: bigint;
  hostSeconds: number;
}

/** An ERROR frame of the daemon. */
export class ControlError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly detail: string,
    readonly hint: string,
  ) {
    super(message);
    this.name = 'ControlError';
  }
}

type Listener = (frame: Frame | Error) => void;

export class ControlClient {
  private readonly reader = new FrameReader();
  private readonly listeners = new Map<bigint, Listener>();
  private nextRequest = 1n;
  private broken: Error | undefined;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('the machine has closed the connection')));
  }

  static async connect(path: string, timeoutMs = 5000): Promise<ControlClient> {
    const socket = createConnection(path);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => socket.destroy(new Error(`${path} does not answer`)), timeoutMs);
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.removeListener('error', reject);
        resolve();
      });
      socket.once('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
    });
    const client = new ControlClient(socket);
    const hello = new PayloadWriter().u32(helloMagic).u16(protocolVersion).u16(protocolVersion).str('linuxsql');
    await client.ask('hello', hello.done(), timeoutMs);
    return client;
  }

  async status(): Promise<MachineStatus> {
    return readStatus(await this.ask('vm_status'));
  }

  async run(): Promise<MachineStatus> {
    return readStatus(await this.ask('vm_run'));
  }

  async pause(): Promise<MachineStatus> {
    return readStatus(await this.ask('vm_pause'));
  }

  /** mode 0 flushes disks first, 1 ends at once. */
  async stop(mode: 0 | 1): Promise<void> {
    await this.ask('vm_stop', new PayloadWriter().u32(mode).done());
  }

  async step(condition: string, maxInsns: bigint, timeoutMs?: number): Promise<StepResult> {
    const payload = new PayloadWriter().str(condition).u64(maxInsns).done();
    const answer = new PayloadReader((await this.ask('vm_step', payload, timeoutMs)).payload);
    return {
      stoppedBy: answer.str(),
      conditionMet: answer.u8() !== 0,
      instret: answer.u64(),
      executed: answer.u64(),
      pc: answer.u64(),
      timeNs: answer.u64(),
      hostSeconds: answer.f64(),
    };
  }

  /** SHA-256 of the whole state, and where it stood; the guest stands still meanwhile. */
  async hash(timeoutMs?: number): Promise<{ boot: bigint; instret: bigint; timeNs: bigint; pc: bigint; hash: string }> {
    const answer = new PayloadReader((await this.ask('vm_hash', Buffer.alloc(0), timeoutMs)).payload);
    const [boot, instret, timeNs, pc] = [answer.u64(), answer.u64(), answer.u64(), answer.u64()];
    return { boot, instret, timeNs, pc, hash: answer.str() };
  }

  /** Returns once every input the guest was given so far is committed to the input log. */
  async logSync(timeoutMs?: number): Promise<void> {
    await this.ask('vm_log_sync', Buffer.alloc(0), timeoutMs);
  }

  async consoleWrite(bytes: Buffer): Promise<void> {
    await this.ask('vm_console_write', new PayloadWriter().str(bytes).done());
  }

  /**
   * Streams console output from `fromInstret` on (undefined: only what is new). The promise settles when the stream
   * ends: rejected when the connection breaks or the daemon refuses.
   */
  consoleAttach(fromInstret: bigint | undefined, onOutput: (instret: bigint, bytes: Buffer) => void): Promise<void> {
    const output = typeOf('vm_console');
    const from = new PayloadWriter().u64(fromInstret ?? 0xffff_ffff_ffff_ffffn).done();
    return new Promise((resolve, reject) => {
      const request = this.send('vm_console_attach', from, (frame) => {
        if (frame instanceof Error) return reject(frame);
        if (frame.type === output) {
          const fields = new PayloadReader(frame.payload);
          onOutput(fields.u64(), fields.blob());
          return;
        }
        this.listeners.delete(request);
        if (frame.type === errorType) reject(errorOf(frame));
        else resolve();
      });
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private send(name: string, payload: Buffer, listener: Listener): bigint {
    const request = this.nextRequest++;
    const { broken } = this;
    if (broken !== undefined) {
      queueMicrotask(() => listener(broken));
      return request;
    }
    this.listeners.set(request, listener);
    this.socket.write(encodeFrame(typeOf(name), request, payload));
    return request;
  }

  private ask(name: string, payload: Buffer = Buffer.alloc(0), timeoutMs?: number): Promise<Frame> {
    return new Promise((resolve, reject) => {
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => this.socket.destroy(new Error(`no answer to ${name} in ${timeoutMs} ms`)), timeoutMs);
      const request = this.send(name, payload, (frame) => {
        clearTimeout(timer);
        this.listeners.delete(request);
        if (frame instanceof Error) reject(frame);
        else if (frame.type === errorType) reject(errorOf(frame));
        else resolve(frame);
      });
    });
  }

  private receive(chunk: Buffer): void {
    try {
      for (const frame of this.reader.push(chunk)) this.listeners.get(frame.request)?.(frame);
    } catch (error) {
      this.socket.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private fail(error: Error): void {
    this.broken ??= error;
    const waiting = [...this.listeners.values()];
    this.listeners.clear();
    for (const listener of waiting) listener(this.broken);
  }
}

function errorOf(frame: Frame): ControlError {
  const fields = new PayloadReader(frame.payload);
  return new ControlError(fields.raw(5).toString('latin1'), fields.str(), fields.str(), fields.str());
}

function readStatus(frame: Frame): MachineStatus {
  const fields = new PayloadReader(frame.payload);
  const state = fields.u32();
  return {
    state: stateNames.get(state) ?? `state ${state}`,
    stopReason: fields.u32(),
    instret: fields.u64(),
    pc: fields.u64(),
    timeNs: fields.u64(),
    hostRunNs: fields.u64(),
    ramBytes: fields.u64(),
    hz: fields.u64(),
    generation: fields.u64(),
    machine: fields.str(),
  };
}
