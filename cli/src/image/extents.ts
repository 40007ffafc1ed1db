/** Which byte ranges of a file hold data, so that the holes of a sparse image cost neither reading nor rows. */
import { spawn } from 'node:child_process';

export interface Extent {
  start: number;
  end: number;
}

/** lseek(SEEK_DATA) is out of Node's reach; the Python that set-up needs anyway has it. */
const script = `
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
at = 0
while True:
    try:
        start = os.lseek(fd, at, os.SEEK_DATA)
    except OSError as error:
        if error.errno == 6: break
        raise
    at = os.lseek(fd, start, os.SEEK_HOLE)
    print(start, at)
`;

function parse(lines: string, size: number): Extent[] {
  const extents: Extent[] = [];
  let last = 0;
  for (const line of lines.split('\n')) {
    if (line === '') continue;
    const [start = NaN, end = NaN] = line.split(' ').map(Number);
    if (!(start >= last && end > start)) throw new Error(`unexpected extent "${line}"`);
    last = Math.min(end, size);
    if (start < last) extents.push({ start, end: last });
  }
  return extents;
}

/** The data extents of a file in order. Where holes cannot be told (no Python, another file system): the whole file. */
export async function dataExtents(path: string, size: number): Promise<Extent[]> {
  const whole = [{ start: 0, end: size }];
  return new Promise((resolve, reject) => {
    const child = spawn('python3', ['-I', '-c', script, path], { stdio: ['ignore', 'pipe', 'ignore'] });
    const pieces: Buffer[] = [];
    child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
    child.on('error', () => resolve(whole));
    child.on('close', (code) => {
      try {
        resolve(code === 0 ? parse(Buffer.concat(pieces).toString('latin1'), size) : whole);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
}
