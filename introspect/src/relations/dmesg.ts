import type { Kernel } from '../kernel/kernel.js';
import { KernelLog } from '../kernel/printk.js';
import { rowSource, type RowSource, type ScanRequest } from '../scan/row-source.js';

/** The printk ring, oldest record first. */
export function dmesg(kernel: Kernel, request: ScanRequest): RowSource {
  return rowSource(
    'dmesg',
    kernel.decoder(KernelLog).records(request.budget),
    {
      seq: (record) => record.seq,
      ts_ns: (record) => record.tsNs,
      level: (record) => record.level,
      facility: (record) => record.facility,
      caller: (record) => record.caller,
      text: (record) => record.text,
    },
    { sortedBy: { column: 'seq', descending: false } },
  );
}
