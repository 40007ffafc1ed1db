/** Once a vitest run: the builds exist, and one PostgreSQL cluster runs. */
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { messageOf, UserError } from '../../cli/src/base/fail.js';
import { checkout } from '../../cli/src/base/paths.js';
import { mustRun } from '../../cli/src/base/run.js';
import { addonStage, appStage, extensionStage, vmStage } from '../../cli/src/setup/native.js';
import { sljitStage } from '../../cli/src/setup/sljit.js';
import { ensureStages, exportToMake } from '../../cli/src/setup/stages.js';
import { sweepLeftovers } from './temp.js';
import { fillDatabase, launchCluster, type OwnCluster, type SharedCluster } from './cluster.js';

const templateName = 'linuxsql_template';

/** Tests that need no template still run when it cannot be made; the others fail with this reason. */
async function makeTemplate(cluster: OwnCluster, buildFailure: string | undefined): Promise<SharedCluster['template']> {
  if (buildFailure !== undefined) return { failed: buildFailure };
  try {
    await fillDatabase(await cluster.createDatabase({ name: templateName, fill: false }));
    return { name: templateName };
  } catch (error) {
    return { failed: messageOf(error) };
  }
}

/** `npm test` has run these already; this is for vitest started by hand, where one broken part must not hide the others. */
async function buildAll(): Promise<string | undefined> {
  try {
    await mustRun('preparing', process.execPath, [join(checkout, 'cli/bootstrap/prepare.mjs')]); // dist/, which tests start programs from
    await ensureStages([sljitStage, extensionStage, vmStage, addonStage, appStage]);
    return undefined;
  } catch (error) {
    const hint = error instanceof UserError ? `\n${error.hint ?? ''}` : '';
    console.error(`a part could not be built: ${messageOf(error)}${hint}`);
    return messageOf(error);
  }
}

export default async function globalSetup(project: TestProject): Promise<() => Promise<void>> {
  sweepLeftovers();
  exportToMake();
  const failure = await buildAll();
  const cluster = await launchCluster();
  project.provide('cluster', { socketDir: cluster.socketDir, template: await makeTemplate(cluster, failure) });
  return () => cluster.remove();
}
