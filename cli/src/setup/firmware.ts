/** Kernel, M-mode firmware and root file system: firmware/build.sh makes them, cached by content. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/fail.js';
import { hashText, hashTree } from '../base/hash.js';
import { cache, checkout } from '../base/paths.js';
import { attach, capture } from '../base/run.js';
import type { Stage } from './stage.js';

export interface FirmwareFiles {
  kernel: string;
  kernel_sha256: string;
  firmware: string;
  firmware_sha256: string;
  rootfs: string;
  rootfs_sha256: string;
  initramfs: string;
  initramfs_sha256: string;
}

const script = join(checkout, 'firmware/build.sh');

function isFirmwareFiles(value: unknown): value is FirmwareFiles {
  if (typeof value !== 'object' || value === null) return false;
  const names = ['kernel', 'firmware', 'rootfs', 'initramfs'];
  const fields = Object.fromEntries(Object.entries(value));
  return names.every((name) => typeof fields[name] === 'string' && typeof fields[`${name}_sha256`] === 'string');
}

let found: FirmwareFiles | undefined;

/** Paths and hashes of the built files, or undefined while some are missing. */
export async function builtFirmware(): Promise<FirmwareFiles | undefined> {
  if (found !== undefined) return found;
  const { code, stdout } = await capture('bash', [script, '--print'], {
    cwd: checkout,
    env: { LINUXSQL_CACHE: cache },
  });
  if (code !== 0) return undefined;
  const parsed: unknown = JSON.parse(stdout);
  if (!isFirmwareFiles(parsed)) throw new UserError('firmware/build.sh --print did not name its products');
  found = parsed;
  return found;
}

export async function firmwareFiles(): Promise<FirmwareFiles> {
  const files = await builtFirmware();
  if (files === undefined) throw new UserError('the firmware is not built', { hint: 'Run `npm run setup`.' });
  return files;
}

export const firmwareStage: Stage = {
  name: 'firmware',
  title: 'building the kernel and root file system (the first time takes about ten minutes)',
  inputs: () => hashText(hashTree([join(checkout, 'firmware')]), cache),
  present: async () => {
    const files = await builtFirmware();
    return (
      files !== undefined &&
      [files.kernel, files.firmware, files.rootfs, files.initramfs].every((file) => existsSync(file))
    );
  },
  run: async () => {
    const code = await attach('bash', ['-c', 'exec bash "$0" </dev/null >/dev/null', script], {
      cwd: checkout,
      env: { LINUXSQL_CACHE: cache },
    });
    if (code !== 0) throw new UserError(`firmware/build.sh ended with exit code ${code}; its messages stand above`);
    found = undefined;
  },
};
