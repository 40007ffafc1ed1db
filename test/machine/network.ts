/** A machine with a network card, from files: bytes through a forward, servers on the host's loopback. */
import { createConnection, createServer, type AddressInfo, type Server } from 'node:net';
import { atEnd } from '../harness/cleanup.js';

/** A server on the loopback that says a word to whoever connects, and counts them. */
export interface Greeter {
  port: number;
  connections(): number;
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

export async function startGreeter(word: string): Promise<Greeter> {
  let count = 0;
  const server = createServer((socket) => {
    count++;
    socket.on('error', () => undefined).end(`${word}\n`);
  });
  const port = await listening(server);
  atEnd(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { port, connections: () => count };
}

/** A port of the loopback that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

/** Sends text to a port of the loopback, ends its half, and gives everything that comes back; fails when refused. */
export function exchange(port: number, text: string, timeoutMs = 30_000): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = createConnection({ port, host: '127.0.0.1' }, () => socket.end(text));
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`nothing from port ${port} in ${timeoutMs} ms`)));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('end', () => resolve(Buffer.concat(chunks)));
  });
}

/** A file of the guest's httpd, over HTTP/1.0. */
export async function httpGet(port: number, path: string): Promise<Buffer> {
  const answer = await exchange(port, `GET ${path} HTTP/1.0\r\n\r\n`);
  const head = answer.indexOf('\r\n\r\n');
  if (head < 0 || !answer.subarray(0, 12).toString('latin1').endsWith(' 200'))
    throw new Error(`httpd answered: ${answer.subarray(0, 200).toString('latin1')}`);
  return answer.subarray(head + 4);
}
