/** The telemetry area of one machine, mapped read-only; checked against the layout this service was built for. */
import { introspectError } from '../errors.js';
import {
  counterSlots,
  counters,
  hartSnapshot,
  rings,
  sectionOffsets,
  telemetryHeader,
  telemetryLayoutHash,
  telemetryMagic,
} from '../gen/telemetry.js';
import { native } from '../machine/native.js';
import { decodeHart, type HartState } from './hart.js';
import { RingReader } from './ring-reader.js';

export type RingName = keyof typeof rings;

export class TelemetryArea {
  readonly #area: ArrayBuffer;
  readonly #word = new BigUint64Array(1);
  readonly #counters = new BigUint64Array(counters.length);
  readonly #hart = new Uint8Array(hartSnapshot.size);

  constructor(area: ArrayBuffer) {
    this.#area = area;
    const smallest = sectionOffsets.counters + counterSlots * 8;
    if (area.byteLength < smallest || this.#header(telemetryHeader.magic) !== telemetryMagic) {
      throw introspectError('machineUnreachable', "the machine's telemetry area is not one");
    }
    if (this.#header(telemetryHeader.layoutHash) !== telemetryLayoutHash) {
      throw introspectError(
        'machineUnreachable',
        "the machine's daemon is of another version than the service",
        'restart both',
      );
    }
  }

  #header(offset: number): bigint {
    native().loadWords(this.#area, sectionOffsets.header + offset, this.#word);
    return this.#word[0]!;
  }

  get generation(): bigint {
    return this.#header(telemetryHeader.generation);
  }
  get daemonPid(): number {
    return Number(this.#header(telemetryHeader.daemonPid));
  }

  /** Counter values by slot, valid until the next call. */
  counters(): BigUint64Array {
    native().loadWords(this.#area, sectionOffsets.counters, this.#counters);
    return this.#counters;
  }

  hart(): HartState {
    if (!native().readSequenced(this.#area, sectionOffsets.hart, this.#hart)) {
      throw introspectError('machineUnreachable', 'the machine died while it wrote its state');
    }
    return decodeHart(this.#hart);
  }

  /** Instructions retired as of the last snapshot; cheaper than hart(). */
  instret(): bigint {
    native().loadWords(this.#area, sectionOffsets.hart + hartSnapshot.instret, this.#word);
    return this.#word[0]!;
  }

  /** cut: read it as it was when it had this many records. */
  ring(name: RingName, cut?: number): RingReader {
    const { number, record } = rings[name];
    return new RingReader(this.#area, sectionOffsets.header + telemetryHeader.ring + number * 64, record.size, cut);
  }
}
