/** Programs built from C and C++: the daemon, introspect's addon, the extension in its PostgreSQL tree. */
import { cpSync, existsSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { canRead } from '../base/account.js';
import { UserError } from '../base/fail.js';
import { hashText, hashTree } from '../base/hash.js';
import { build, checkout, dist, ensureFolder, home, postgresBin } from '../base/paths.js';
import { daemonFiles, place } from '../base/place.js';
import { mustRun } from '../base/run.js';
import { step } from '../base/log.js';
import { makeTree, systemFingerprint, treePresent } from '../server/tree.js';
import { sljitFolder } from './sljit.js';
import type { Stage } from './stage.js';

const jobs = `-j${Math.min(4, availableParallelism())}`;

/** Runs make, showing every `interval` milliseconds how many commands it has begun. */
async function make(stage: string, folder: string, args: readonly string[]): Promise<void> {
  let commands = 0;
  const shown = setInterval(() => step(stage, `${commands} commands run`), 5000);
  try {
    const options = { cwd: checkout, timeoutMs: 1_800_000, onLine: () => void commands++ };
    await mustRun(`building ${folder}`, 'make', ['--no-print-directory', '-C', folder, ...args], options);
  } finally {
    clearInterval(shown);
  }
}

const vmFile = (): string => join(build, 'vm-core/linuxsql-vm');
const netFile = (): string => join(build, 'vm-core/linuxsql-net');

export const vmStage: Stage = {
  name: 'vm-core',
  title: 'building linuxsql-vm',
  inputs: () => hashText(hashTree([join(checkout, 'vm-core')], { skip: new Set(['test']) }), sljitFolder()),
  present: () => existsSync(vmFile()) && existsSync(netFile()),
  run: () => make('vm-core', 'vm-core', [jobs, `SLJIT=${sljitFolder()}`]),
};

const addonFile = (): string => join(build, 'introspect/introspect.node');

export const addonStage: Stage = {
  name: 'addon',
  title: "building introspect's addon",
  inputs: () =>
    hashText(hashTree([join(checkout, 'introspect/native'), join(checkout, 'vm-core/gen')]), process.version),
  present: () => existsSync(addonFile()),
  run: () => make('addon', 'introspect/native', [`NODE=${process.execPath}`]),
};

const extensionSources = ['Makefile', 'linuxsql.control', 'src', 'sql', 'gen'].map((name) =>
  join(checkout, 'fdw', name),
);

export const extensionStage: Stage = {
  name: 'extension',
  title: 'building the extension and its PostgreSQL tree',
  inputs: () => hashText(hashTree(extensionSources), systemFingerprint(), place().tree),
  present: () => treePresent(place().tree),
  run: async () => {
    const pgConfig = `PG_CONFIG=${join(postgresBin, 'pg_config')}`;
    const staged = join(build, 'fdw-staged');
    rmSync(staged, { recursive: true, force: true });
    await make('extension', 'fdw', [pgConfig, 'with_llvm=no', jobs, 'all']);
    await make('extension', 'fdw', [pgConfig, 'with_llvm=no', `DESTDIR=${staged}`, 'install']);
    ensureFolder(place().base, 0o755);
    makeTree(place().tree, staged);
  },
};

const appParts = [
  'build/vm-core/linuxsql-vm',
  'build/vm-core/linuxsql-net',
  'build/introspect/introspect.node',
  'dist/introspect',
  'dist/schema',
  'package.json',
];

/** Where the server's account cannot read the checkout, it gets a copy of what it starts. */
export const appStage: Stage = {
  name: 'app',
  title: 'copying the daemons to where the account of the server can read them',
  inputs: () =>
    place().app !== checkout
      ? hashText(hashTree(appParts.map((part) => join(checkout, part))), daemonsHash(), place().app)
      : 'in place',
  present: () => existsSync(daemonFiles(place().app).vm),
  run: async () => {
    const { app, account } = place();
    if (app !== checkout) {
      step('app', `the account "${account.name}" cannot enter ${checkout}; it gets copies in ${app}`);
      await copyApp(app);
    }
    const { vm, introspect } = daemonFiles(app);
    const unreadable = [vm, introspect].filter((file) => !canRead(account, [file]));
    if (unreadable.length > 0)
      throw new UserError(`the account "${account.name}" cannot read ${unreadable.join(' and ')}`);
  },
};

/** hashTree() leaves out products; the daemon itself matters here. */
function daemonsHash(): string {
  return hashTree([vmFile(), netFile(), join(dist, '.source-hash'), join(home, 'stamps/addon')]);
}

async function copyApp(app: string): Promise<void> {
  const fresh = `${app}.new`;
  rmSync(fresh, { recursive: true, force: true });
  ensureFolder(fresh, 0o755);
  for (const part of appParts) cpSync(join(checkout, part), join(fresh, part), { recursive: true, dereference: true });
  await mustRun('opening the copy to the server', 'chmod', ['-R', 'u=rwX,go=rX', fresh]); // whatever the umask was
  rmSync(app, { recursive: true, force: true });
  renameSync(fresh, app);
}
