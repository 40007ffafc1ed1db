/** Set-up as a list of stages, each skipped when the hash of its inputs is the one stamped at its last success. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { elapsed, step } from '../base/log.js';
import { ensureFolder, stamps } from '../base/paths.js';

export interface Stage {
  name: string;
  /** What it makes, for progress lines and `linuxsql doctor`. */
  title: string;
  /** Hash over everything the result depends on. */
  inputs(): string;
  /** True while the result is there (it may have been removed by hand). */
  present(): boolean | Promise<boolean>;
  run(): Promise<void>;
}

function stampFile(stage: Stage): string {
  return join(stamps, stage.name);
}

export async function isCurrent(stage: Stage): Promise<boolean> {
  const file = stampFile(stage);
  return existsSync(file) && readFileSync(file, 'utf8') === stage.inputs() && (await stage.present());
}

/** The stamp is written after the work and by rename, so an interrupted stage runs again. */
export async function runStage(stage: Stage): Promise<boolean> {
  if (await isCurrent(stage)) return false;
  const started = Date.now();
  const hash = stage.inputs();
  step(stage.name, stage.title);
  rmSync(stampFile(stage), { force: true });
  await stage.run();
  ensureFolder(stamps);
  writeFileSync(`${stampFile(stage)}.new`, hash);
  renameSync(`${stampFile(stage)}.new`, stampFile(stage));
  step(stage.name, `done in ${elapsed(started)}`);
  return true;
}
