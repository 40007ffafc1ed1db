import { consoleRecord as record } from '../gen/telemetry.js';
import { rowSource, type RowSource, type ScanRequest } from '../scan/row-source.js';
import type { RingReader } from '../telemetry/ring-reader.js';
import { signedField } from './record-fields.js';
import { ringRecords } from './ring-records.js';

interface Output {
  seq: number | bigint;
  instret: number | bigint;
  device: number;
  text: string;
}

const deviceNames: Record<number, string> = { 0: 'uart', 1: 'hvc' };
const capacity = 40;
/** Records looked at before the first one asked for, to find the start of a character cut in two. */
const lookBack = 4;

/** The console ring. A character cut by the end of a record appears whole in the record that ends it. */
export function console(ring: RingReader, request: ScanRequest): RowSource {
  return rowSource(
    'console',
    outputs(ring, request),
    {
      seq: (output) => output.seq,
      instret: (output) => output.instret,
      device: (output) => deviceNames[output.device] ?? `device ${output.device}`,
      text: (output) => output.text,
    },
    { sortedBy: { column: 'seq', descending: false } },
  );
}

function* outputs(ring: RingReader, request: ScanRequest): Generator<Output> {
  const decoders = new Map<number, InstanceType<typeof TextDecoder>>();
  const pinned = request.pin('seq');
  const low = pinned.low;
  // The walk starts a little earlier, so that it is in step with the characters where it counts.
  const earlier: ScanRequest = {
    ...request,
    pin: (column) => (column === 'seq' ? { ...pinned, low: low - lookBack } : request.pin(column)),
  };
  for (const item of ringRecords(ring, earlier)) {
    const device = ring.words[item + record.device / 4]!;
    const length = Math.min(ring.words[item + record.length / 4]!, capacity);
    const bytes = ring.bytes.subarray(item * 4 + record.bytes, item * 4 + record.bytes + length);
    let decoder = decoders.get(device & 0xff);
    if (!decoder) decoders.set(device & 0xff, (decoder = new TextDecoder('utf-8', { ignoreBOM: true })));
    const text = decoder.decode(bytes, { stream: true }).replaceAll('\0', '\ufffd');
    const seq = signedField(ring, item, record.seq);
    if (seq >= low) yield { seq, instret: signedField(ring, item, record.instret), device, text };
  }
}
