/** A telemetry ring in plain memory, written the way the daemon writes it. */
import { consoleRecord, pageFaultRecord, ringDescriptor, trapRecord } from '../../src/gen/telemetry.js';
import { RingReader } from '../../src/telemetry/ring-reader.js';

const descriptorAt = 64;
const recordsAt = 256;

export class RingWriter {
  readonly area: ArrayBuffer;
  readonly view: DataView;
  readonly #capacity: number;
  readonly #recordBytes: number;
  #written = 0;

  constructor(capacity: number, recordBytes: number) {
    this.#capacity = capacity;
    this.#recordBytes = recordBytes;
    this.area = new ArrayBuffer(recordsAt + capacity * recordBytes);
    this.view = new DataView(this.area);
    this.descriptor('offset', BigInt(recordsAt));
    this.descriptor('capacity', BigInt(capacity));
    this.descriptor('recordSize', BigInt(recordBytes));
  }

  descriptor(field: keyof typeof ringDescriptor, value: bigint): void {
    this.view.setBigUint64(descriptorAt + ringDescriptor[field], value, true);
  }

  /** Appends one record whose bytes fill() sets, relative to the offset it is given. */
  append(fill: (view: DataView, at: number) => void): number {
    const seq = this.#written++;
    const at = this.place(seq);
    new Uint8Array(this.area, at, this.#recordBytes).fill(0);
    fill(this.view, at);
    this.descriptor('reserved', BigInt(this.#written));
    this.descriptor('committed', BigInt(this.#written));
    return seq;
  }

  place(seq: number): number {
    return recordsAt + (seq % this.#capacity) * this.#recordBytes;
  }

  reader(): RingReader {
    return new RingReader(this.area, descriptorAt, this.#recordBytes);
  }
}

export interface Fault {
  tval: bigint;
  cause: number;
  page?: bigint;
  context?: bigint;
  satp?: bigint;
  priv?: number;
}

export function appendFault(ring: RingWriter, fault: Fault): number {
  const record = pageFaultRecord;
  return ring.append((view, at) => {
    const seq = (at - recordsAt) / record.size;
    view.setBigUint64(at + record.seq, BigInt(seq), true);
    view.setBigUint64(at + record.instret, BigInt(seq * 10), true);
    view.setBigUint64(at + record.tval, fault.tval, true);
    view.setBigUint64(at + record.pc, 0xffff_ffff_8000_1234n, true);
    view.setBigUint64(at + record.satp, fault.satp ?? 0n, true);
    view.setBigUint64(at + record.context, fault.context ?? 0n, true);
    view.setBigUint64(at + record.physicalPage, fault.page ?? 0xffff_ffff_ffff_ffffn, true);
    view.setUint16(at + record.cause, fault.cause, true);
    view.setUint8(at + record.priv, fault.priv ?? 0);
  });
}

export function resolveFault(ring: RingWriter, seq: number, page: bigint): void {
  ring.view.setBigUint64(ring.place(seq) + pageFaultRecord.physicalPage, page, true);
}

export function appendConsole(ring: RingWriter, bytes: Uint8Array, device = 0): void {
  ring.append((view, at) => {
    view.setBigUint64(at + consoleRecord.seq, BigInt((at - recordsAt) / consoleRecord.size), true);
    view.setUint32(at + consoleRecord.length, bytes.length, true);
    view.setUint32(at + consoleRecord.device, device, true);
    new Uint8Array(ring.area, at + consoleRecord.bytes, bytes.length).set(bytes);
  });
}

export function appendTrap(ring: RingWriter, cause: bigint): void {
  ring.append((view, at) => {
    view.setBigUint64(at + trapRecord.seq, BigInt((at - recordsAt) / trapRecord.size), true);
    view.setBigUint64(at + trapRecord.cause, cause, true);
    view.setUint8(at + trapRecord.privFrom, 0);
    view.setUint8(at + trapRecord.privTo, 1);
  });
}
