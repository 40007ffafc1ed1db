/**
 * Records of a ring, oldest or newest first, in runs or as scan items. An item is the word index of a record in
 * the ring's private chunk. What was taken is valid until the next is.
 */
import type { Budget } from '../memory/budget.js';
import type { RecordColumn, RecordRun } from '../scan/record-columns.js';
import type { ScanRequest, SourceOptions } from '../scan/row-source.js';
import type { RingReader } from '../telemetry/ring-reader.js';

const firstChunk = 64;
const largestChunk = 2048;
const instretOffset = 8;

type Range = readonly [low: number, high: number];

/** For rowSource: the records as rows of these columns, and their order. */
export function ringRows(
  ring: RingReader,
  request: ScanRequest,
  columns: Record<string, RecordColumn>,
): Pick<SourceOptions<number>, 'sortedBy' | 'records'> {
  return {
    sortedBy: { column: 'seq', descending: request.order?.descending ?? false },
    records: { runs: ringRuns(ring, request), words: () => ring.words, columns },
  };
}

export function* ringRecords(ring: RingReader, request: ScanRequest): Generator<number> {
  for (const { item, step, count } of ringRuns(ring, request))
    for (let record = 0; record < count; record++) yield item + record * step;
}

function* ringRuns(ring: RingReader, request: ScanRequest): Generator<RecordRun> {
  const descending = request.order?.column === 'seq' && request.order.descending;
  const ranges = rangesOf(ring, request);
  for (const [low, high] of descending ? ranges.reverse() : ranges) {
    if (low <= high && descending) yield* backward(ring, low, high, request.budget);
    else if (low <= high) yield* forward(ring, low, high, request.budget);
  }
}

/**
 * Where the records asked for are. instret is searched among those since the machine was last reset or put back; what is
 * older is read whole, since instret falls somewhere in it.
 */
function rangesOf(ring: RingReader, request: ScanRequest): Range[] {
  const { oldest, committed, grows } = ring.extent();
  const [seq, instret] = [request.pin('seq'), request.pin('instret')];
  const low = Math.max(oldest, Math.ceil(seq.low));
  const high = Math.min(committed - 1, Math.floor(seq.high));
  const turn = Math.min(Math.max(grows, low), high + 1);
  let [from, to] = [turn, high];
  if (instret.low > -Infinity) from = firstAtLeast(ring, from, to, Math.ceil(instret.low));
  if (instret.high < Infinity) to = firstAtLeast(ring, from, to, Math.floor(instret.high) + 1) - 1;
  return [
    [low, turn - 1],
    [from, to],
  ];
}

function* forward(ring: RingReader, low: number, high: number, budget: Budget): Generator<RecordRun> {
  let size = firstChunk;
  for (let at = low; at <= high;) {
    const chunk = ring.read(at, Math.min(size, high - at + 1));
    if (chunk.count === 0) return;
    budget.take(chunk.count);
    if (chunk.lost > 0 && at > low) budget.cut('records were overwritten while they were read');
    yield { item: 0, step: ring.recordWords, count: chunk.count };
    at = chunk.first + chunk.count;
    size = Math.min(size * 2, largestChunk);
  }
}

function* backward(ring: RingReader, low: number, high: number, budget: Budget): Generator<RecordRun> {
  let size = firstChunk;
  for (let end = high; end >= low;) {
    const start = Math.max(low, end - size + 1);
    const chunk = ring.read(start, end - start + 1);
    const last = chunk.first + chunk.count - 1;
    if (chunk.count === 0 || last !== end) return budget.cut('records were overwritten while they were read');
    budget.take(chunk.count);
    yield { item: (chunk.count - 1) * ring.recordWords, step: -ring.recordWords, count: chunk.count };
    if (chunk.first > start) return;
    end = start - 1;
    size = Math.min(size * 2, largestChunk);
  }
}

/** The first record in [low, high] whose instret is at least bound; high + 1 when none is. */
function firstAtLeast(ring: RingReader, low: number, high: number, bound: number): number {
  let from = low;
  let to = high + 1;
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    const chunk = ring.read(middle, 1);
    if (chunk.count === 0) return from;
    if (chunk.first !== middle) from = Math.max(middle + 1, chunk.first);
    else if (ring.number(0, instretOffset) < bound) from = middle + 1;
    else to = middle;
  }
  return from;
}
