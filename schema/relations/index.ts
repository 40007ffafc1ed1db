import { processes } from './processes.js';
import { threads } from './threads.js';
import { processMemoryMap } from './process-memory-map.js';
import { processOpenFiles } from './process-open-files.js';
import { processOpenSockets } from './process-open-sockets.js';
import { mounts } from './mounts.js';
import { kernelModules } from './kernel-modules.js';
import { kernelSymbols } from './kernel-symbols.js';
import { dmesg } from './dmesg.js';
import { pageFaults } from './page-faults.js';
import { traps } from './traps.js';
import { mmuHotspots } from './mmu-hotspots.js';
import { counters } from './counters.js';
import { console } from './console.js';
import { machines } from './machines.js';
import type { Relation } from '../vocabulary.js';

/** All relations, in the order IMPORT FOREIGN SCHEMA creates them. */
export const relations: Relation[] = [
  processes,
  threads,
  processMemoryMap,
  processOpenFiles,
  processOpenSockets,
  mounts,
  kernelModules,
  kernelSymbols,
  dmesg,
  pageFaults,
  traps,
  mmuHotspots,
  counters,
  console,
  machines,
];
