import type { Kernel } from '../kernel/kernel.js';
import { Modules } from '../kernel/module.js';
import { rowSource, type RowSource, type ScanRequest } from '../scan/row-source.js';

/** One row per loaded module. */
export function kernelModules(kernel: Kernel, request: ScanRequest): RowSource {
  const decoder = kernel.decoder(Modules);
  return rowSource('kernel_modules', decoder.all(request.budget), {
    name: (module) => decoder.name(module),
    size: (module) => decoder.size(module),
    used_by: (module) => decoder.usedBy(module, request.budget),
    status: (module) => decoder.status(module),
    address: (module) => decoder.address(module),
    refcount: (module) => decoder.references(module),
    taints: (module) => decoder.taints(module),
  });
}
