import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { catalogue } from '../src/gen/relations.js';
import { frameHeader, frameType, helloMagic, maxFrameBytes, qualTag } from '../src/gen/wire.js';
import { Machines } from '../src/machine/machines.js';
import { listen } from '../src/server/listen.js';
import { FrameSplitter, type Frame } from '../src/wire/frame-splitter.js';
import { FrameWriter } from '../src/wire/payload.js';
import { Random } from './support/random.js';
import { errorOf, RowClient } from './support/row-client.js';

let folder: string;
let path: string;
let machines: Machines;
let stop: () => Promise<void>;
const quiet = () => undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lsq-'));
  mkdirSync(join(folder, 'vm'));
  path = join(folder, 's');
  machines = new Machines(folder);
  stop = await listen({ path, mode: 0o600, allowed: [] }, machines, quiet);
});

afterAll(async () => {
  await stop();
  await machines.close();
  rmSync(folder, { recursive: true });
});

/** Sends raw bytes and gives what came back until the service closed or went quiet. */
function exchange(bytes: Buffer, quietMs = 50): Promise<{ frames: Frame[]; closed: boolean }> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    const splitter = new FrameSplitter();
    const frames: Frame[] = [];
    let timer = setTimeout(() => end(false), 1000);
    const end = (closed: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ frames, closed });
    };
    socket.on('data', (data) => {
      splitter.add(data);
      for (let frame = splitter.next(); frame; frame = splitter.next()) frames.push(frame);
      clearTimeout(timer);
      timer = setTimeout(() => end(false), quietMs);
    });
    socket.on('close', () => end(true));
    socket.on('error', () => undefined);
    socket.write(bytes);
  });
}

const hello = () => new FrameWriter().u32(helloMagic).u16(1).u16(1).text('t').frame(frameType.hello, 1n);

describe('the handshake', () => {
  test('WELCOME names version and schema', async () => {
    const { frames } = await exchange(hello());
    expect(frames.map((frame) => frame.type)).toEqual([frameType.welcome]);
  });

  test.each([
    ['another first frame', new FrameWriter().frame(frameType.ping, 1n)],
    ['another magic', new FrameWriter().u32(1).u16(1).u16(1).text('').frame(frameType.hello, 1n)],
    ['a future version', new FrameWriter().u32(helloMagic).u16(9).u16(12).text('').frame(frameType.hello, 1n)],
  ])('%s is refused and the connection closed', async (_, bytes) => {
    const { frames, closed } = await exchange(bytes, 500);
    expect(errorOf(frames[0]!).sqlstate).toBe('08P01');
    expect(closed).toBe(true);
  });
});

describe('requests', () => {
  test('SCHEMA tells every relation', async () => {
    const client = await RowClient.connect(path);
    const fields = await client.ask(frameType.schema, new FrameWriter().text('vm1'));
    expect(fields.u16()).toBe(catalogue.length);
    expect(fields.text()).toBe('processes');
    client.close();
  });

  test('an unknown machine is named in the error', async () => {
    const client = await RowClient.connect(path);
    await expect(client.openView('vm9')).rejects.toMatchObject({
      sqlstate: '42704',
      message: 'machine "vm9" is not running',
    });
    await expect(client.scan('../x', 'processes')).rejects.toMatchObject({ sqlstate: '42704' });
    expect((await client.scan('', 'machines')).rows).toEqual([]);
    client.close();
  });

  test('a socket that nobody serves is unreachable', async () => {
    writeFileSync(join(folder, 'vm', 'dead.sock'), '');
    const client = await RowClient.connect(path);
    await expect(client.scan('dead', 'counters')).rejects.toMatchObject({ sqlstate: '08001' });
    expect((await client.scan('', 'machines')).rows).toMatchObject([
      { machine: 'dead', state: 'unreachable', instret: null },
    ]);
    client.close();
    rmSync(join(folder, 'vm', 'dead.sock'));
  });

  test('CANCEL and CREDIT for unknown requests are ignored, PING is answered', async () => {
    const client = await RowClient.connect(path);
    client.socket.write(new FrameWriter().frame(frameType.cancel, 99n));
    client.socket.write(new FrameWriter().u32(5).frame(frameType.credit, 98n));
    await client.ask(frameType.ping, new FrameWriter());
    await expect(client.closeView(5n)).rejects.toMatchObject({ sqlstate: '55000' });
    await client.ask(frameType.ping, new FrameWriter());
    client.close();
  });

  test('an unknown frame type is skipped when optional, else an error', async () => {
    const optional = new FrameWriter().frame(200, 2n);
    optional.writeUInt8(1, frameHeader.flags);
    const skipped = await exchange(Buffer.concat([hello(), optional, new FrameWriter().frame(frameType.ping, 3n)]));
    expect(skipped.frames.map((frame) => frame.type)).toEqual([frameType.welcome, frameType.pong]);
    const refused = await exchange(Buffer.concat([hello(), new FrameWriter().frame(200, 2n)]), 500);
    expect(refused.frames.map((frame) => frame.type)).toEqual([frameType.welcome, frameType.error]);
    expect(refused.closed).toBe(true);
  });

  test('frames arrive whole however they are cut', async () => {
    const bytes = Buffer.concat([hello(), new FrameWriter().frame(frameType.ping, 2n)]);
    const client = createConnection(path);
    const splitter = new FrameSplitter();
    const types: number[] = [];
    const done = new Promise<void>((resolve) => {
      client.on('data', (data) => {
        splitter.add(data);
        for (let frame = splitter.next(); frame; frame = splitter.next()) types.push(frame.type);
        if (types.length === 2) resolve();
      });
    });
    for (const byte of bytes) client.write(Buffer.of(byte));
    await done;
    expect(types).toEqual([frameType.welcome, frameType.pong]);
    client.destroy();
  });
});

const openFrame = (qual: (out: FrameWriter) => FrameWriter) =>
  qual(new FrameWriter().text('vm1').text('processes').u64(0n).u32(4).u64(-1n).u16(1).u16(0).u16(0)).frame(
    frameType.open,
    5n,
  );

test.each([
  ['a column that is not there', openFrame((out) => out.u8(qualTag.isNull).u16(999))],
  ['an unknown qual tag', openFrame((out) => out.u8(77))],
  [
    'a tree that is too deep',
    openFrame((out) => {
      for (let i = 0; i < 40; i++) out.u8(qualTag.and).u16(1);
      return out.u8(qualTag.true);
    }),
  ],
  ['a text compared with a number', openFrame((out) => out.u8(qualTag.compare).u8(1).u16(0).u8(3).text('x'))],
  ['bytes after the tree', openFrame((out) => out.u8(qualTag.true).u8(0))],
  ['a connective without terms', openFrame((out) => out.u8(qualTag.or).u16(0))],
])('%s in a qual is a protocol error', async (_, bytes) => {
  const { frames, closed } = await exchange(Buffer.concat([hello(), bytes]), 500);
  expect(errorOf(frames[1]!).sqlstate).toBe('08P01');
  expect(closed).toBe(true);
});

test('random and mutated frames never take the service down', async () => {
  const random = new Random(3);
  const samples = [
    hello(),
    openFrame((out) => out.u8(qualTag.and).u16(2).u8(qualTag.isNull).u16(1).u8(qualTag.prefix).u16(1).u8(3).text('ab')),
    new FrameWriter().text('vm1').text('proc:sh').frame(frameType.resolve, 6n),
    new FrameWriter().text('vm1').frame(frameType.viewOpen, 7n),
    new FrameWriter().u64(1n).frame(frameType.viewClose, 8n),
    new FrameWriter().text('vm1').frame(frameType.schema, 9n),
  ];
  const sockets = Array.from({ length: 200 }, () => {
    const frames = Array.from({ length: 1 + random.below(6) }, () => Buffer.from(random.pick(samples)));
    for (let i = 0; i < random.below(5); i++) {
      const frame = random.pick(frames);
      frame[random.below(frame.length)] = random.below(256);
    }
    const bytes = random.below(4) === 0 ? random.bytes(64) : Buffer.concat([hello(), ...frames]);
    return exchange(bytes, 20);
  });
  await Promise.all(sockets);
  const client = await RowClient.connect(path);
  await client.ask(frameType.ping, new FrameWriter());
  client.close();
});

test('a frame longer than allowed is refused before it is read', async () => {
  const huge = new FrameWriter().frame(frameType.ping, 2n);
  huge.writeUInt32LE(maxFrameBytes + 1, frameHeader.length);
  const { frames } = await exchange(Buffer.concat([hello(), huge]), 500);
  expect(errorOf(frames[1]!).sqlstate).toBe('08P01');
});

test('a second service does not take the socket of the first', async () => {
  await expect(listen({ path, mode: 0o600, allowed: [] }, machines, quiet)).rejects.toThrow('another service listens');
});
