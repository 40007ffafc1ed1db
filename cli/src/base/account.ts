/** The operating system account under which the embedded server, introspect and the machines run. */
import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { spawnSync } from 'node:child_process';
import { UserError } from './fail.js';

export interface Account {
  name: string;
  uid: number;
  gid: number;
  home: string;
  /** True when this process is root and the account is another: children must switch to it. */
  switched: boolean;
}

let known: Account | undefined;

/** PostgreSQL refuses to run as root, so root uses the package's `postgres` account; anybody else uses their own. */
export function serverAccount(): Account {
  known ??= process.getuid?.() === 0 ? lookUp('postgres') : ownAccount();
  return known;
}

function ownAccount(): Account {
  const { username, uid, gid, homedir } = userInfo();
  return { name: username, uid, gid, home: homedir, switched: false };
}

function lookUp(name: string): Account {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${name}:`));
  const [, , uid, gid, , home] = line?.split(':') ?? [];
  if (uid === undefined || gid === undefined || home === undefined) {
    throw new UserError(`there is no account "${name}" on this machine`, {
      hint: 'It comes with the package postgresql-15; `npm run setup` installs it.',
    });
  }
  return { name, uid: Number(uid), gid: Number(gid), home, switched: true };
}

/** Whether the account can read all of these files and enter all of these folders. */
export function canRead(account: Account, paths: readonly string[]): boolean {
  const script = 'for path do [ -r "$path" ] || exit 1; if [ -d "$path" ]; then [ -x "$path" ] || exit 1; fi; done';
  if (!account.switched) return paths.every((path) => existsSync(path));
  const { status } = spawnSync('/bin/sh', ['-c', script, 'sh', ...paths], {
    uid: account.uid,
    gid: account.gid,
    stdio: 'ignore',
    cwd: '/',
  });
  return status === 0;
}
