/** linuxsql-vm as a plain program: run to its end, with the figures it writes; and a raw control connection. */
import { createConnection, type Socket } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FrameReader, PayloadWriter, encodeFrame, type Frame } from '../../cli/src/control/frames.js';
import { frameType, helloMagic } from '../../schema/layout/wire.js';
import { firmwareFiles, vmBinary } from '../harness/artifacts.js';
import { run } from '../harness/processes.js';
import { tempDir } from '../harness/temp.js';

export interface Stats {
  instret: number;
  idle_ns: number;
  interp_insns: number;
  jit_insns: number;
  host_seconds: number;
  first_user_instret: number;
  first_user_seconds: number;
  stop_reason: string;
  state_sha256: string;
}

export function readStats(path: string): Stats {
  const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
  return parsed as Stats;
}

export function frameNumber(name: string): number {
  const entry = frameType.entries.find((candidate) => candidate.name === name);
  if (entry === undefined) throw new Error(`no frame type ${name}`);
  return entry.value;
}

/** Arguments of a boot into the initramfs. */
export async function bootArgs(): Promise<string[]> {
  const files = await firmwareFiles();
  return ['--bios', files.firmware, '--kernel', files.kernel, '--initrd', files.initramfs, '--append', 'console=ttyS0'];
}

/** Boots from files, to `stopAt` instructions, and gives the figures. */
export async function bootTo(stopAt: number, extra: readonly string[] = []): Promise<Stats> {
  const stats = join(tempDir(), 'stats.json');
  const args = [...(await bootArgs()), '--memory', '256M', '--stop-at', String(stopAt), '--stats', stats, ...extra];
  const { code, stderr } = await run(vmBinary(), args, { timeoutMs: 120_000, input: '' });
  if (code !== 0) throw new Error(`linuxsql-vm ended with ${code}: ${stderr}`);
  return readStats(stats);
}

/** A control connection that sends whatever it is told and collects frames. */
export class RawControl {
  readonly frames: Frame[] = [];
  closed = false;
  private readonly reader = new FrameReader();

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => this.frames.push(...this.reader.push(chunk)));
    socket.on('error', () => undefined);
    socket.on('close', () => (this.closed = true));
  }

  static async connect(path: string): Promise<RawControl> {
    const socket = createConnection(path);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawControl(socket);
  }

  hello(): void {
    this.send('hello', 0n, new PayloadWriter().u32(helloMagic).u16(1).u16(1).str('test').done());
  }

  send(name: string, request: bigint, payload: Buffer = Buffer.alloc(0)): void {
    this.socket.write(encodeFrame(frameNumber(name), request, payload));
  }

  answers(name: string): Frame[] {
    return this.frames.filter((frame) => frame.type === frameNumber(name));
  }
}
