/** A machine whose database does not answer waits, can be looked at meanwhile, and goes on as if nothing had been. */
import { expect, test } from 'vitest';
import { PayloadWriter } from '../../cli/src/control/frames.js';
import { socketAnswers, waitUntil } from '../../cli/src/server/sockets.js';
import { atEnd } from '../harness/cleanup.js';
import { startChain } from '../harness/chain.js';
import { prompt } from '../harness/guest.js';
import { RawControl } from './machine.js';

test('views open while the hart waits for PostgreSQL; the guest notices nothing', async () => {
  const chain = await startChain();
  const sql = await chain.connect();
  await sql.query('select vm_start($1)', [chain.machine]);
  expect(await waitUntil(() => socketAnswers(chain.controlSocket), 20_000)).toBe(true);
  const control = await chain.control();
  await control.pause();
  await control.step(`console:${prompt}`, 5_000_000_000n);

  const { rows } = await sql.query<{ pid: number }>(
    `select pid from pg_stat_activity where application_name like 'linuxsql-vm%'`,
  );
  expect(rows.length).toBeGreaterThan(0);
  const pids = rows.map(({ pid }) => pid);
  const resume = (): void => pids.forEach((pid) => process.kill(pid, 'SIGCONT'));
  pids.forEach((pid) => process.kill(pid, 'SIGSTOP'));
  atEnd(async () => resume());

  let text = '';
  void control.consoleAttach(undefined, (_, bytes) => (text += bytes.toString('latin1'))).catch(() => undefined);
  await control.consoleWrite(Buffer.from('echo kept > /kept; sync; echo syn""ced\n'));
  await control.run();
  await expect.poll(async () => (await control.status()).state, { timeout: 10_000 }).toBe('waiting');

  const viewer = await RawControl.connect(chain.controlSocket);
  viewer.hello();
  viewer.send('vm_view_open', 1n);
  expect(await waitUntil(() => viewer.answers('vm_view').length === 1, 1000)).toBe(true);
  const view = viewer.answers('vm_view')[0]?.payload;
  expect((await control.status()).instret).toBe(view?.readBigUInt64LE(8));
  resume();
  await expect.poll(async () => (await control.status()).instret).toBeGreaterThan(view?.readBigUInt64LE(8) ?? 0n);
  viewer.send('vm_view_close', 2n, new PayloadWriter().u64(view?.readBigUInt64LE(0) ?? 0n).done());
  expect(await waitUntil(() => viewer.answers('done').length === 1, 5000)).toBe(true);
  await expect.poll(() => text, { timeout: 20_000 }).toContain('synced');
  expect(text).not.toMatch(/error/i);
  await sql.end();
  control.close();
}, 180_000);
