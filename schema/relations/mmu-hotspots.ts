import type { Relation } from '../vocabulary.js';

export const mmuHotspots: Relation = {
  name: 'mmu_hotspots',
  doc: 'Faults counted by physical page and kind, most hit first, over the life of the machine as seen by the service.',
  source: 'telemetry',
  columns: [
    {
      name: 'memory_page',
      type: 'text',
      doc: "physical page as text, '0x3f001000'; the virtual page where the retried access never arrived",
    },
    { name: 'fault_type', type: 'text', doc: "'LOAD_PAGE_FAULT', 'STORE_PAGE_FAULT', …" },
    { name: 'hit_count', type: 'int8', doc: 'faults' },
    { name: 'resolved', type: 'bool', doc: 'memory_page is physical' },
    { name: 'page', type: 'int8', doc: 'the same page as a number' },
  ],
  keys: [],
  orders: [{ column: 'hit_count', descending: true }],
  estimatedRows: 1000,
  example: 'select memory_page, fault_type, hit_count from mmu_hotspots order by hit_count desc limit 3',
};
