import { expect, test } from 'vitest';
import { maxFrameBytes } from '../../schema/layout/wire.js';
import { encodeFrame, FrameReader, headerBytes, PayloadReader, PayloadWriter } from '../src/control/frames.js';

const frames = [
  encodeFrame(1, 1n, Buffer.from('hello')),
  encodeFrame(12, 2n ** 63n),
  encodeFrame(73, 3n, Buffer.alloc(70_000, 0x61)),
];
const stream = Buffer.concat(frames);

test.each([1, 7, 16, 17, 4096, 1 << 20])('a stream cut every %i bytes gives the same frames', (size) => {
  const reader = new FrameReader();
  const found = [];
  for (let at = 0; at < stream.length; at += size) found.push(...reader.push(stream.subarray(at, at + size)));
  expect(found.map(({ type, request, payload }) => encodeFrame(type, request, payload))).toEqual(frames);
});

test('a frame longer than the protocol allows is refused before its bytes arrive', () => {
  const head = Buffer.alloc(headerBytes);
  head.writeUInt32LE(maxFrameBytes + 1, 0);
  expect(() => new FrameReader().push(head)).toThrow('protocol error');
});

test('payload fields come back, and reading over the end fails', () => {
  const payload = new PayloadWriter()
    .u16(65535)
    .u32(7)
    .u64(2n ** 64n - 1n)
    .str('grün')
    .done();
  const reader = new PayloadReader(payload);
  expect([reader.u16(), reader.u32(), reader.u64(), reader.str()]).toEqual([65535, 7, 2n ** 64n - 1n, 'grün']);
  expect(() => reader.u8()).toThrow(RangeError);
  expect(() => new PayloadReader(Buffer.from([200, 0, 0, 0, 1])).str()).toThrow('protocol error');
});
