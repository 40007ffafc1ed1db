/**
 * Folders the server's account must be able to use. They lie in the checkout's .linuxsql/ when that account can get
 * there; under /root, say, it cannot, and then /var/lib/linuxsql-<tag> is used instead.
 */
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { canRead, serverAccount, type Account } from './account.js';
import { UserError } from './fail.js';
import { checkout, homeTag, dist, build, ensureFolder, home, socketPathBytes } from './paths.js';

export interface Place {
  account: Account;
  /** Holds everything below but the run folder. */
  base: string;
  /** Data folder of the embedded cluster. */
  data: string;
  /** Server log files. */
  log: string;
  /** Relocated PostgreSQL tree that carries this checkout's extension. */
  tree: string;
  /** Where linuxsql-vm and introspect are started from; the checkout itself where the account can read it. */
  app: string;
  /** Sockets of the server, introspect and the machines; mode 0700. */
  run: string;
  /** True when the account cannot enter .linuxsql/. */
  outside: boolean;
}

/** `<run>/vm/<machine>.sock` with the longest machine name must still fit. */
const runPathBytes = socketPathBytes - '/vm/'.length - 63 - '.sock'.length;

let known: Place | undefined;

export function place(): Place {
  known ??= choosePlace();
  return known;
}

function choosePlace(): Place {
  const account = serverAccount();
  ensureFolder(home);
  const outside = !canRead(account, [home]);
  const base = outside ? `/var/lib/linuxsql-${homeTag}` : home;
  const inHome = join(home, 'run');
  const short = !outside && Buffer.byteLength(inHome) <= runPathBytes;
  return {
    account,
    base,
    data: join(base, 'data'),
    log: join(base, 'log'),
    tree: join(base, 'postgresql'),
    app: canRead(account, [checkout]) ? checkout : join(base, 'app'),
    run: short ? inHome : `/tmp/linuxsql-${account.uid}-${homeTag}`,
    outside,
  };
}

/** Files that the server's account must read to start the daemons. */
export function daemonFiles(app: string): { vm: string; introspect: string } {
  const builtIn = app === checkout ? build : join(app, 'build');
  const distIn = app === checkout ? dist : join(app, 'dist');
  return { vm: join(builtIn, 'vm-core/linuxsql-vm'), introspect: join(distIn, 'introspect/src/main.js') };
}

/** Makes a folder that belongs to the server's account alone, or fails when something else has taken its name. */
export function ensurePrivateFolder(path: string, account: Account): string {
  if (!existsSync(path)) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (account.switched) chownSync(path, account.uid, account.gid);
  }
  const stat = lstatSync(path);
  if (!stat.isDirectory() || stat.uid !== account.uid) {
    throw new UserError(`${path} is not a folder of the account "${account.name}"`, {
      hint: 'Somebody else has taken this name. Remove it, or move the checkout.',
    });
  }
  if ((stat.mode & 0o777) !== 0o700) chmodSync(path, 0o700);
  return path;
}

/** Makes the folder for everything, and those of the server's account inside it. */
export function ensurePlace(): Place {
  const where = place();
  ensureFolder(where.base, 0o755);
  ensurePrivateFolder(where.log, where.account);
  ensurePrivateFolder(where.run, where.account);
  ensurePrivateFolder(join(where.run, 'vm'), where.account);
  return where;
}
