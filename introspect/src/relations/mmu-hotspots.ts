import { rowSource, type ColumnReaders, type RowSource, type ScanRequest } from '../scan/row-source.js';
import type { HotSpot } from '../telemetry/fault-log.js';
import { causeName } from './page-faults.js';

const readers: ColumnReaders<'mmu_hotspots', HotSpot> = {
  memory_page: (spot) => '0x' + BigInt.asUintN(64, spot.page).toString(16),
  fault_type: (spot) => causeName(spot.cause).toUpperCase().replaceAll(/[ -]/g, '_'),
  hit_count: (spot) => spot.hits,
  resolved: (spot) => spot.resolved,
  page: (spot) => spot.page,
};

/** Faults by page and kind, most hit first. */
export function mmuHotspots(spots: HotSpot[], overflowed: boolean, request: ScanRequest): RowSource {
  if (overflowed) request.budget.cut('more pages faulted than the service counts');
  return rowSource('mmu_hotspots', spots, readers, { sortedBy: { column: 'hit_count', descending: true } });
}
