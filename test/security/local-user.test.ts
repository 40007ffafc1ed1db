/**
 * Another user of the host: sockets are 0600, and where one is open to a second user (--control-uid, --mode 660), the
 * credentials of the peer decide, so a third user is turned away without an answer.
 */
import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { serverAccount } from '../../cli/src/base/account.js';
import { ensurePrivateFolder } from '../../cli/src/base/place.js';
import { socketAnswers, waitUntil } from '../../cli/src/server/sockets.js';
import { introspectMain, vmBinary } from '../harness/artifacts.js';
import { run, spawnOwned, type OwnedProcess } from '../harness/processes.js';
import { tempDir } from '../harness/temp.js';
import { bootArgs } from '../machine/machine.js';

const trusted = 61_001;
const stranger = 61_002;
/** Only root can be somebody else. Without that the modes are still checked. */
const canSwitch = process.getuid?.() === 0;

/** Says what became of a HELLO: "answered", "closed" or the reason why there was no connection. */
const probe = `
import socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
try:
    s.connect(sys.argv[1])
    body = struct.pack('<IHHI4s', 0x4c51534c, 1, 1, 4, b'test')
    s.sendall(struct.pack('<IBBHQ', len(body), 1, 0, 0, 1) + body)
    print('answered' if s.recv(1) else 'closed')
except PermissionError: print('no permission')
except (BrokenPipeError, ConnectionResetError): print('closed')
`;

async function probeAs(uid: number, path: string): Promise<string> {
  const program = [
    'setpriv',
    `--reuid=${uid}`,
    '--regid=65534',
    '--clear-groups',
    '/usr/bin/python3',
    '-c',
    probe,
    path,
  ];
  const { stdout, stderr } = await run(program[0] ?? '', program.slice(1), { cwd: '/' });
  return stdout.trim() || stderr.trim();
}

const mode = (path: string): number => statSync(path).mode & 0o777;

/** A folder others may enter, so that only the socket itself is in their way. */
function openFolder(): string {
  const folder = tempDir();
  chmodSync(folder, 0o755);
  return folder;
}

async function started(owned: OwnedProcess, path: string): Promise<void> {
  const there = await waitUntil(() => socketAnswers(path), 15_000);
  if (!there) throw new Error(owned.log());
}

describe.each(['control', 'introspect'])('the %s socket', (kind) => {
  let closed: string;
  let shared: string;

  beforeAll(async () => {
    const folder = openFolder();
    closed = join(folder, 'closed.sock');
    shared = join(folder, 'shared.sock');
    if (kind === 'control') {
      const machine = [...(await bootArgs()), '--memory', '64M', '--paused'];
      await started(spawnOwned(vmBinary(), [...machine, '--control', closed]), closed);
      await started(
        spawnOwned(vmBinary(), [...machine, '--control', shared, '--control-uid', String(trusted)]),
        shared,
      );
      return;
    }
    const service = (args: string[]): OwnedProcess =>
      spawnOwned(process.execPath, [introspectMain(), '--run-dir', folder, ...args]);
    await started(service(['--socket', closed]), closed);
    await started(service(['--socket', shared, '--allow-uid', String(trusted), '--mode', '660']), shared);
    if (canSwitch) chownSync(shared, 0, 65_534); // the group of the two users below
  });

  test('is 0600 unless a second user was named', async () => {
    expect(mode(closed)).toBe(0o600);
    // It is there a moment before it is opened to others.
    await expect.poll(() => mode(shared), { timeout: 5000 }).toBe(kind === 'control' ? 0o666 : 0o660);
  });

  test('turns other users away', async () => {
    if (!canSwitch) return;
    expect(await probeAs(stranger, closed)).toBe('no permission');
    expect(await probeAs(trusted, closed)).toBe('no permission');
    expect(await probeAs(stranger, shared)).toBe('closed');
    expect(await probeAs(trusted, shared)).toBe('answered');
    expect(await probeAs(0, closed)).toBe('answered');
  });
});

test('folders of the embedded server are closed to others, even if one was there before', () => {
  const folder = join(tempDir(), 'run');
  const account = { ...serverAccount(), uid: process.getuid?.() ?? 0, switched: false };
  mkdirSync(folder, { mode: 0o755 });
  expect(mode(ensurePrivateFolder(folder, account))).toBe(0o700);
  if (!canSwitch) return;
  chownSync(folder, stranger, 65_534);
  expect(() => ensurePrivateFolder(folder, account)).toThrow(/is not a folder of the account/);
});
