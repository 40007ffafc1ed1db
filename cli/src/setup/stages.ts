/** All stages of set-up, in order. */
import { withLock } from '../base/lock.js';
import { externalServer } from '../server/session.js';
import { firmwareStage } from './firmware.js';
import { addonStage, appStage, extensionStage, vmStage } from './native.js';
import { sljitFolder, sljitStage } from './sljit.js';
import { isCurrent, runStage, type Stage } from './stage.js';

/** With DATABASE_URL the extension belongs to that server and is installed there by its administrator. */
export function allStages(): Stage[] {
  const own = externalServer() === undefined ? [extensionStage] : [];
  return [sljitStage, vmStage, addonStage, ...own, firmwareStage, appStage];
}

/** For `make` started by tests and scripts: where vm-core/Makefile finds what set-up has unpacked. */
export function exportToMake(): void {
  process.env['SLJIT'] = sljitFolder();
}

async function runMissing(stages: readonly Stage[]): Promise<void> {
  for (const stage of stages) await runStage(stage);
}

/** Runs what is not current. The lock is only taken when there is something to do. */
export async function ensureStages(stages: readonly Stage[] = allStages()): Promise<void> {
  for (const stage of stages) {
    if (!(await isCurrent(stage))) return withLock('setup', () => runMissing(stages));
  }
}
