/** A client of the row protocol for tests: whole answers, no flow control beyond steady credit. */
import { createConnection, type Socket } from 'node:net';
import { catalogue, type RelationName } from '../../src/gen/relations.js';
import { frameType, helloMagic, protocolVersion, qualOperator, qualTag, valueTag } from '../../src/gen/wire.js';
import { FrameSplitter, type Frame } from '../../src/wire/frame-splitter.js';
import { FrameWriter, PayloadReader } from '../../src/wire/payload.js';
import { decodeRows, type Decoded } from './decode-rows.js';

export class RowError extends Error {
  constructor(
    readonly sqlstate: string,
    message: string,
    readonly detail: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

export interface ScanOptions {
  view?: bigint;
  limit?: number;
  credit?: number;
  sort?: { column: string; descending: boolean };
  /** column = value */
  where?: { column: string; value: number | string };
  columns?: string[];
}

export interface ScanAnswer {
  rows: Record<string, Decoded>[];
  examined: bigint;
  cut: boolean;
}

export class RowClient {
  readonly socket: Socket;
  readonly #splitter = new FrameSplitter();
  readonly #listeners = new Map<bigint, (frame: Frame | Error) => void>();
  #requests = 0n;

  private constructor(path: string) {
    this.socket = createConnection(path);
    this.socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    this.socket.on('close', () => this.#lose(new Error('the connection was closed')));
    this.socket.on('error', (error) => this.#lose(error));
  }

  static async connect(path: string): Promise<RowClient> {
    const client = new RowClient(path);
    const hello = new FrameWriter().u32(helloMagic).u16(protocolVersion).u16(protocolVersion).text('test');
    await client.ask(frameType.hello, hello);
    return client;
  }

  #receive(bytes: Buffer): void {
    this.#splitter.add(bytes);
    for (let frame = this.#splitter.next(); frame; frame = this.#splitter.next())
      this.#listeners.get(frame.request)?.(frame);
  }

  #lose(error: Error): void {
    for (const listener of this.#listeners.values()) listener(error);
    this.#listeners.clear();
  }

  close(): void {
    this.socket.destroy();
  }

  next(): bigint {
    return ++this.#requests;
  }

  listen(request: bigint, listener: (frame: Frame | Error) => void): void {
    this.#listeners.set(request, listener);
  }

  forget(request: bigint): void {
    this.#listeners.delete(request);
  }

  /** One frame out, one frame in; ERROR becomes RowError. */
  ask(type: number, payload: FrameWriter): Promise<PayloadReader> {
    const request = this.next();
    return new Promise((resolve, reject) => {
      this.listen(request, (frame) => {
        this.forget(request);
        if (frame instanceof Error) reject(frame);
        else if (frame.type === frameType.error) reject(errorOf(frame));
        else resolve(new PayloadReader(frame.payload));
      });
      this.socket.write(payload.frame(type, request));
    });
  }

  async openView(machine: string): Promise<{ view: bigint; instret: bigint }> {
    const fields = await this.ask(frameType.viewOpen, new FrameWriter().text(machine));
    return { view: fields.u64(), instret: fields.u64() };
  }

  async closeView(view: bigint): Promise<void> {
    await this.ask(frameType.viewClose, new FrameWriter().u64(view));
  }

  async resolve(machine: string, condition: string): Promise<{ metNow: boolean; condition: string }> {
    const fields = await this.ask(frameType.resolve, new FrameWriter().text(machine).text(condition));
    return { metNow: fields.u8() === 1, condition: fields.text() };
  }

  /** All rows of a scan. */
  scan(machine: string, name: RelationName, options: ScanOptions = {}): Promise<ScanAnswer> {
    const relation = catalogue.find((known) => known.name === name)!;
    const index = (column: string) => relation.columns.findIndex((known) => known.name === column);
    const names = options.columns ?? relation.columns.map((column) => column.name);
    const types = names.map((column) => relation.columns[index(column)]!.type);
    const open = new FrameWriter()
      .text(machine)
      .text(name)
      .u64(options.view ?? 0n)
      .u32(options.credit ?? 4);
    open.u64(BigInt(options.limit ?? -1)).u16(names.length);
    for (const column of names) open.u16(index(column));
    const { sort, where } = options;
    if (sort)
      open
        .u16(1)
        .u16(index(sort.column))
        .u8(sort.descending ? 1 : 0)
        .u8(0);
    else open.u16(0);
    if (where) {
      open.u8(qualTag.compare).u8(qualOperator.eq).u16(index(where.column));
      if (typeof where.value === 'string') open.u8(valueTag.text).text(where.value);
      else open.u8(valueTag.int).u64(BigInt(where.value));
    } else open.u8(qualTag.true);
    return this.#collect(open, names, types);
  }

  #collect(open: FrameWriter, names: string[], types: Parameters<typeof decodeRows>[1]): Promise<ScanAnswer> {
    const request = this.next();
    const rows: Record<string, Decoded>[] = [];
    return new Promise((resolve, reject) => {
      this.listen(request, (frame) => {
        if (!(frame instanceof Error) && frame.type === frameType.data) {
          for (const row of decodeRows(Buffer.from(frame.payload), types)) {
            rows.push(Object.fromEntries(row.map((value, i) => [names[i]!, value])));
          }
          this.socket.write(new FrameWriter().u32(1).frame(frameType.credit, request));
          return;
        }
        this.forget(request);
        if (frame instanceof Error) reject(frame);
        else if (frame.type === frameType.error) reject(errorOf(frame));
        else {
          const done = new PayloadReader(frame.payload);
          done.u64();
          const examined = done.u64();
          done.u64();
          resolve({ rows, examined, cut: (done.u32() & 1) === 1 });
        }
      });
      this.socket.write(open.frame(frameType.open, request));
    });
  }
}

export function errorOf(frame: Frame): RowError {
  const fields = new PayloadReader(frame.payload);
  const state = Buffer.from(fields.bytes(5)).toString('latin1');
  return new RowError(state, fields.text(), fields.text(), fields.text());
}
