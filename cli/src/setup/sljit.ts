/** Source of the JIT's code generator: deps/sljit of Debian's pcre2 source package, unpacked, never committed. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/fail.js';
import { hashText, sha256File } from '../base/hash.js';
import { cache, ensureFolder } from '../base/paths.js';
import { mustRun } from '../base/run.js';
import { pinned } from './versions.js';
import { prepareSourceApt } from './private-apt.js';
import type { Stage } from './stage.js';

export function sljitFolder(): string {
  return join(cache, 'sljit', pinned('sljit_archive_sha256').slice(0, 16));
}

const sourceFile = (): string => join(sljitFolder(), 'sljit_src/sljitLir.c');

async function fetchAndUnpack(): Promise<void> {
  if (existsSync(sourceFile())) return;
  const target = sljitFolder();
  const work = ensureFolder(`${target}.work`);
  const aptConfig = await prepareSourceApt(pinned('sljit_suite'));
  await mustRun(
    'fetching the source package that holds sljit',
    'apt-get',
    ['-qq', '--download-only', '--tar-only', 'source', pinned('sljit_package')],
    {
      cwd: work,
      env: { APT_CONFIG: aptConfig },
      timeoutMs: 300_000,
    },
  );
  const archive = join(work, pinned('sljit_archive'));
  if (!existsSync(archive))
    throw new UserError(`the mirror's source package ${pinned('sljit_package')} has no ${pinned('sljit_archive')}`);
  const found = await sha256File(archive);
  if (found !== pinned('sljit_archive_sha256')) {
    rmSync(work, { recursive: true, force: true });
    throw new UserError(
      `${pinned('sljit_archive')} has SHA-256 ${found}, not the one pinned in firmware/versions.lock`,
    );
  }
  const unpacked = ensureFolder(join(work, 'unpacked'));
  await mustRun('unpacking sljit', 'tar', [
    '-xf',
    archive,
    '-C',
    unpacked,
    '--no-same-owner',
    '--strip-components=3',
    '--wildcards',
    '*/deps/sljit/*',
  ]);
  rmSync(target, { recursive: true, force: true });
  renameSync(unpacked, target);
  rmSync(work, { recursive: true, force: true });
}

export const sljitStage: Stage = {
  name: 'sljit',
  title: "fetching sljit from Debian's pcre2 source package",
  inputs: () => hashText(pinned('sljit_archive'), pinned('sljit_archive_sha256'), cache),
  present: () => existsSync(sourceFile()),
  run: fetchAndUnpack,
};
