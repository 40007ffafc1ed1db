import { deviceNumbers } from '../kernel/file.js';
import type { Kernel } from '../kernel/kernel.js';
import { Mounts } from '../kernel/mount.js';
import { rowSource, type RowSource, type ScanRequest } from '../scan/row-source.js';

/** One row per mount that process 1 sees. */
export function mounts(kernel: Kernel, request: ScanRequest): RowSource {
  const decoder = kernel.decoder(Mounts);
  return rowSource('mounts', decoder.visible(request.budget), {
    device: (mount) => decoder.source(mount.address),
    device_alias: (mount) => decoder.source(mount.address),
    path: (mount) => mount.path,
    type: (mount) => decoder.fileSystem(mount.address),
    flags: (mount) => decoder.options(mount.address),
    blocks_size: (mount) => decoder.blockSize(mount.address),
    mount_id: (mount) => decoder.id(mount.address),
    parent_id: (mount) => decoder.parentId(mount.address),
    dev: (mount) => {
      const { major, minor } = deviceNumbers(decoder.device(mount.address));
      return `${major}:${minor}`;
    },
    mount_addr: (mount) => mount.address,
  });
}
