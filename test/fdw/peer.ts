/**
 * A peer that speaks the row protocol over made-up rows, well or badly, so that the extension can be tested against a
 * service that stalls, dribbles, dies, lies or floods. The name of the machine in a request chooses how it behaves:
 *
 *   stalled      never answers OPEN           dribble   one byte every few milliseconds
 *   mute         never answers VIEW_OPEN      hangup    closes in the middle of the second DATA frame
 *   cut          closes before any answer     flood     sends more DATA than was granted
 *   error        ERROR to every OPEN          badstate  ERROR with an SQLSTATE that is none
 *   mutate-N     answers with bytes changed, seed N     rows-N  N rows in every relation
 *   chain        3000 processes, each the child of the one before
 *   noisy        NOTICE frames for ever       wrongview answers VIEW_OPEN with PONG
 *   anything else: 40 rows in every relation, answered well.
 *
 * Run by itself: tsx test/fdw/peer.ts SOCKET
 */
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { catalogue as relations } from '../../introspect/src/gen/relations.js';
import { columnType, frameType, helloMagic, protocolVersion, schemaHash } from '../../introspect/src/gen/wire.js';
import { frameBytes, FrameSplitter, Reader, Writer, type Frame } from './frames.js';
import { answerOf, batches, chainOfProcesses, madeUpRows, readOpen, type Request, type Row } from './rows.js';

export interface Log {
  machine: string;
  relation: string;
  view: bigint;
  columns: string[];
  limit: bigint;
}

function random(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function mutate(bytes: Buffer, next: () => number): Buffer {
  const copy = Buffer.from(bytes);
  const interesting = [0, 1, 7, 8, 0x7f, 0x80, 0xff];
  for (let left = 1 + Math.floor(next() * 3); left > 0 && copy.length > 0; left--) {
    copy[Math.floor(next() * copy.length)] = interesting[Math.floor(next() * interesting.length)] ?? 0;
  }
  return next() < 0.1 ? copy.subarray(0, Math.floor(next() * copy.length)) : copy;
}

function schemaAnswer(rows: number): Buffer {
  const out = new Writer().u16(relations.length);
  for (const relation of relations) {
    out.text(relation.name).text(relation.doc).f64(rows).u16(relation.columns.length);
    for (const column of relation.columns) {
      out
        .text(column.name)
        .u8(columnType[column.type])
        .u8(column.nullable ? 1 : 0)
        .text(column.doc);
    }
    out.u16(relation.keys.length);
    for (const key of relation.keys) {
      out.u16(key.length);
      for (const column of key) out.u16(column);
    }
    out.u16(relation.orders.length);
    for (const order of relation.orders) out.u16(order.column).u8(order.descending ? 1 : 0);
  }
  return out.done();
}

interface Scan {
  left: Buffer[];
  credit: number;
  done: Buffer;
}

export class Peer {
  readonly log: Log[] = [];
  readonly openViews = new Set<bigint>();
  viewsOpened = 0;
  cancels = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly made = new Map<string, Row[]>();
  private readonly answers = new Map<string, { payloads: Buffer[]; sent: number; examined: number }>();
  private lastView = 0n;

  private constructor(readonly path: string) {
    this.server = createServer((socket) => this.serve(socket));
  }

  static async start(path: string): Promise<Peer> {
    rmSync(path, { force: true });
    const peer = new Peer(path);
    await new Promise<void>((resolve, reject) => {
      peer.server.once('error', reject);
      peer.server.listen(path, resolve);
    });
    return peer;
  }

  async stop(): Promise<void> {
    this.dropConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  dropConnections(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  private rowsOf(request: Request): Row[] {
    const count = Number(/^rows-(\d+)$/.exec(request.machine)?.[1] ?? (request.machine === 'flood' ? 3000 : 40));
    const key = `${request.relation.name} ${count} ${request.machine === 'chain'}`;
    let rows = this.made.get(key);
    if (rows === undefined) {
      rows = request.machine === 'chain' ? chainOfProcesses(request.relation) : madeUpRows(request.relation, count);
      this.made.set(key, rows);
    }
    return rows;
  }

  private answer(request: Request): { payloads: Buffer[]; sent: number; examined: number } {
    const key = `${request.machine}\n${request.shape}`;
    let answer = this.answers.get(key);
    if (answer === undefined) {
      const all = this.rowsOf(request);
      const rows = answerOf(request, all);
      answer = { payloads: batches(rows, request.columns), sent: rows.length, examined: all.length };
      if (this.answers.size > 1000) this.answers.clear();
      this.answers.set(key, answer);
    }
    return answer;
  }

  private serve(socket: Socket): void {
    const splitter = new FrameSplitter();
    const connection = new Connection(this, socket);
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.sockets.delete(socket);
      connection.closed();
    });
    socket.on('data', (bytes) => {
      for (const frame of splitter.push(bytes)) connection.take(frame);
    });
  }

  newView(): bigint {
    this.viewsOpened++;
    this.openViews.add(++this.lastView);
    return this.lastView;
  }

  scanOf(request: Request): Scan {
    this.log.push({
      machine: request.machine,
      relation: request.relation.name,
      view: request.view,
      columns: request.columns.map((column) => request.relation.columns[column]?.name ?? '?'),
      limit: request.limit,
    });
    const { payloads, sent, examined } = this.answer(request);
    const done = new Writer().u64(BigInt(sent)).u64(BigInt(examined)).u64(1_000_000n).u32(0).done();
    return { left: [...payloads], credit: request.credit, done };
  }
}

class Connection {
  private readonly scans = new Map<bigint, Scan>();
  private readonly views = new Set<bigint>();
  private readonly noisy = new Set<bigint>();
  private transform: (bytes: Buffer) => Buffer = (bytes) => bytes;
  private dribbling = false;
  private readonly trickle: Buffer[] = [];

  constructor(
    private readonly peer: Peer,
    private readonly socket: Socket,
  ) {}

  closed(): void {
    for (const view of this.views) this.peer.openViews.delete(view);
    this.scans.clear();
  }

  private send(type: number, request: bigint, payload: Buffer = Buffer.alloc(0)): void {
    const bytes = this.transform(frameBytes(type, request, payload));
    if (!this.dribbling) {
      this.socket.write(bytes);
      return;
    }
    this.trickle.push(bytes);
    if (this.trickle.length === 1) this.drip(0);
  }

  private drip(at: number): void {
    const bytes = this.trickle[0];
    if (bytes === undefined || this.socket.destroyed) return;
    this.socket.write(bytes.subarray(at, at + 1));
    const next = at + 1 < bytes.length ? at + 1 : 0;
    if (next === 0) this.trickle.shift();
    setTimeout(() => this.drip(next), 3);
  }

  private sendError(request: bigint, state: string, message: string): void {
    const payload = new Writer().raw(Buffer.from(state)).text(message).text('made up').text('').done();
    this.send(frameType.error, request, payload);
  }

  take(frame: Frame): void {
    const reader = new Reader(frame.payload);
    switch (frame.type) {
      case frameType.hello:
        if (reader.u32() !== helloMagic) throw new RangeError('magic');
        this.send(
          frameType.welcome,
          frame.request,
          new Writer().u16(protocolVersion).text(schemaHash).text('test peer').u32(process.pid).done(),
        );
        return;
      case frameType.schema:
        this.send(frameType.schema, frame.request, schemaAnswer(40));
        return;
      case frameType.viewOpen:
        this.openView(frame.request, reader.text());
        return;
      case frameType.viewClose: {
        const view = reader.u64();
        this.views.delete(view);
        this.peer.openViews.delete(view);
        this.send(frameType.done, frame.request, new Writer().raw(Buffer.alloc(28)).done());
        return;
      }
      case frameType.open:
        this.open(frame);
        return;
      case frameType.credit:
        this.advance(frame.request, reader.u32());
        return;
      case frameType.cancel:
        this.peer.cancels++;
        if (this.scans.delete(frame.request) || this.noisy.delete(frame.request))
          this.sendError(frame.request, '57014', 'cancelled');
        return;
      case frameType.ping:
        this.send(frameType.pong, frame.request);
        return;
      default:
        throw new RangeError(`frame ${frame.type}`);
    }
  }

  private openView(request: bigint, machine: string): void {
    if (machine === 'mute') return;
    if (machine === 'wrongview') {
      this.send(frameType.pong, request);
      return;
    }
    const view = this.peer.newView();
    this.views.add(view);
    this.send(frameType.view, request, new Writer().u64(view).u64(1000n).u64(1000n).done());
  }

  private open(frame: Frame): void {
    const request = readOpen(frame.payload);
    const { machine } = request;
    const seed = /^mutate-(\d+)$/.exec(machine)?.[1];
    const scan = this.peer.scanOf(request);
    if (machine === 'stalled') return;
    if (machine === 'cut') {
      this.socket.destroy();
      return;
    }
    if (machine === 'error' || machine === 'badstate') {
      this.sendError(frame.request, machine === 'error' ? '55000' : '00000', 'the peer was told to fail');
      return;
    }
    if (machine === 'noisy') {
      this.makeNoise(frame.request);
      return;
    }
    if (seed !== undefined) {
      const next = random(Number(seed));
      this.transform = (bytes) => mutate(bytes, next);
    }
    if (machine === 'dribble') this.dribbling = true;
    if (machine === 'flood') scan.credit = 1_000_000;
    if (machine === 'hangup') {
      this.hangUp(frame.request, scan);
      return;
    }
    this.scans.set(frame.request, scan);
    this.socket.cork();
    this.advance(frame.request, 0);
    this.socket.uncork();
  }

  private makeNoise(request: bigint): void {
    this.noisy.add(request);
    const notice = frameBytes(frameType.notice, request, new Writer().text('noise').done());
    const pour = (): void => {
      if (this.socket.destroyed || !this.noisy.has(request)) return;
      this.socket.write(Buffer.concat(Array.from({ length: 100 }, () => notice)));
      setImmediate(pour);
    };
    pour();
  }

  private hangUp(request: bigint, scan: Scan): void {
    const [first, second] = scan.left;
    if (first !== undefined) this.socket.write(frameBytes(frameType.data, request, first));
    if (second !== undefined) this.socket.write(frameBytes(frameType.data, request, second).subarray(0, 100));
    this.socket.end();
  }

  private advance(request: bigint, credit: number): void {
    const scan = this.scans.get(request);
    if (scan === undefined) return;
    scan.credit += credit;
    while (scan.credit > 0) {
      const payload = scan.left.shift();
      if (payload === undefined) {
        this.scans.delete(request);
        this.send(frameType.done, request, scan.done);
        return;
      }
      scan.credit--;
      this.send(frameType.data, request, payload);
    }
    if (scan.left.length === 0) {
      this.scans.delete(request);
      this.send(frameType.done, request, scan.done);
    }
  }
}

const socketArgument = process.argv[2];
if (process.argv[1]?.endsWith('peer.ts') === true && socketArgument !== undefined) {
  await Peer.start(socketArgument);
  console.log('listening');
}
