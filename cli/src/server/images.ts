/** The images every installation has, and machine vm1 made of them. */
import { firmwareFiles } from '../setup/firmware.js';
import { importImage, progressLine, type ImageKind } from '../image/index.js';
import { standardImages } from '../image/standard.js';
import { step } from '../base/log.js';
import { clientConfig, withClient } from './session.js';
import { firstMachine } from './machines.js';

interface Wanted {
  name: string;
  kind: ImageKind;
  file: string;
  sha256: string;
}

async function wantedImages(): Promise<Wanted[]> {
  const files = await firmwareFiles();
  return [
    { name: standardImages.firmware, kind: 'firmware', file: files.firmware, sha256: files.firmware_sha256 },
    { name: standardImages.kernel, kind: 'kernel', file: files.kernel, sha256: files.kernel_sha256 },
    { name: standardImages.initrd, kind: 'initrd', file: files.initramfs, sha256: files.initramfs_sha256 },
    { name: standardImages.disk, kind: 'disk', file: files.rootfs, sha256: files.rootfs_sha256 },
  ];
}

async function presentImages(): Promise<Map<string, string>> {
  return withClient(async (client) => {
    const { rows } = await client.query<{ name: string; sha256: string }>(
      "select name, encode(sha256, 'hex') as sha256 from linuxsql.image where sealed",
    );
    return new Map(rows.map(({ name, sha256 }) => [name, sha256]));
  });
}

/** Imports what is missing or has changed; an image that a machine uses lives on under another name. */
export async function ensureImages(): Promise<void> {
  const present = await presentImages();
  for (const { name, kind, file, sha256 } of await wantedImages()) {
    if (present.get(name) === sha256) continue;
    let told = 0;
    const result = await importImage(clientConfig(), {
      name,
      kind,
      file,
      sha256: Buffer.from(sha256, 'hex'),
      replace: true,
      onProgress: (progress) => {
        if (!progress.finished && Date.now() - told < 1000) return;
        told = Date.now();
        step('images', progressLine(name, progress));
      },
    });
    if (result.outcome === 'unchanged') continue;
    step('images', `${name}: ${result.outcome}`);
  }
}

/** Makes vm1 over the standard images unless it exists. */
export async function ensureFirstMachine(): Promise<void> {
  await withClient(async (client) => {
    const { rows } = await client.query<{ current: boolean }>(
      `select (k.name, d.name) = ($2, $3) as current from linuxsql.machine m
         join linuxsql.image k on k.id = m.kernel_image
         left join linuxsql.layer l on l.id = m.disk_layer left join linuxsql.image d on d.id = l.image
       where m.name = $1`,
      [firstMachine, standardImages.kernel, standardImages.disk],
    );
    if (rows[0] === undefined) {
      await client.query('select linuxsql.create_machine($1, $2, $3, $4)', [
        firstMachine,
        standardImages.firmware,
        standardImages.kernel,
        standardImages.disk,
      ]);
      step('machine', `${firstMachine} created over ${standardImages.kernel} and ${standardImages.disk}`);
    } else if (rows[0].current === false) {
      step(
        'machine',
        `${firstMachine} keeps its older images; \`linuxsql reload\` makes it anew over the present ones`,
      );
    }
  });
}
