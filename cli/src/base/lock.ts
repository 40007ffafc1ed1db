/** One set-up at a time in a checkout: a flock(1) child holds the lock until this process ends, however it ends. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { step } from './log.js';
import { ensureFolder, home } from './paths.js';

/** Runs `body` while holding `.linuxsql/<name>.lock`; says so when it has to wait. */
export async function withLock<T>(name: string, body: () => Promise<T>): Promise<T> {
  const file = join(ensureFolder(home), `${name}.lock`);
  // The shell inside holds the lock for as long as our end of its standard input stays open.
  const holder = spawn('flock', ['-x', file, 'sh', '-c', 'echo locked; read -r line || :'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const notice = setTimeout(() => step('lock', `another command works in this checkout; waiting for ${file}`), 1000);
  try {
    await new Promise<void>((resolve, reject) => {
      holder.on('error', reject);
      holder.on('close', () => reject(new Error(`flock could not lock ${file}`)));
      holder.stdout.once('data', () => resolve());
    });
  } finally {
    clearTimeout(notice);
  }
  try {
    return await body();
  } finally {
    holder.removeAllListeners('close');
    const gone = new Promise<void>((resolve) => holder.once('exit', () => resolve()));
    holder.stdin.end('\n');
    await gone;
  }
}
