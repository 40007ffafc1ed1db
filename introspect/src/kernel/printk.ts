/** The printk ring (kernel/printk/printk_ringbuffer.h): descriptors, infos and a text area that wraps. */
import { decodeText } from '../memory/address-space.js';
import type { Budget } from '../memory/budget.js';
import { GuestFault } from '../memory/guest-fault.js';
import { introspectError } from '../errors.js';
import type { Gva } from '../memory/address.js';
import type { Kernel } from './kernel.js';

/** enum desc_state */
const committed = 1;
const finalized = 2;
const idMask = (1n << 62n) - 1n;
const callerIsCpu = 0x8000_0000;
const mostRecords = 1 << 24;
/** Every text block starts with the descriptor's id. */
const blockHeader = 8n;

export interface LogRecord {
  seq: bigint;
  tsNs: bigint;
  level: number;
  facility: number;
  caller: string | null;
  text: string;
}

export class KernelLog {
  readonly #kernel: Kernel;
  readonly #prb: Gva;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#prb = kernel.symbol('prb');
    kernel.types.struct('printk_ringbuffer', 'desc_ring', 'text_data_ring');
  }

  /** Records from the oldest to the newest; those being written or recycled are left out. */
  *records(budget: Budget): Generator<LogRecord> {
    const { space, types } = this.#kernel;
    const layout = types.struct('printk_ringbuffer');
    const ring = space.pointer(this.#prb);
    if (!(ring < 0)) throw introspectError('kernelNotReady', 'the kernel has not set up its log yet');
    const countBits = space.u32(ring + layout.offset('desc_ring.count_bits'));
    if (countBits > 24) throw new GuestFault('the kernel log is broken');
    const count = 1n << BigInt(countBits);
    const head = space.u64(ring + layout.offset('desc_ring.head_id')) & idMask;
    let id = space.u64(ring + layout.offset('desc_ring.tail_id')) & idMask;
    for (let steps = 0; steps < mostRecords; steps++, id = (id + 1n) & idMask) {
      budget.take();
      const record = this.#record(ring, id, count);
      if (record) yield record;
      if (id === head) return;
      if (BigInt(steps) >= count) break;
    }
    budget.cut('the kernel log of the guest is broken');
  }

  #record(ring: Gva, id: bigint, count: bigint): LogRecord | undefined {
    const { space, types } = this.#kernel;
    const layout = types.struct('printk_ringbuffer');
    const desc = types.struct('prb_desc', 'state_var');
    const info = types.struct('printk_info', 'seq', 'text_len');
    const slot = Number(id & (count - 1n));
    const descAt = space.pointer(ring + layout.offset('desc_ring.descs')) + slot * desc.size;
    const infoAt = space.pointer(ring + layout.offset('desc_ring.infos')) + slot * info.size;
    const state = space.u64(descAt + desc.offset('state_var'));
    const stage = Number(state >> 62n);
    if ((state & idMask) !== id || (stage !== committed && stage !== finalized)) return undefined;
    const caller = space.u32(infoAt + info.offset('caller_id'));
    const level = info.field('level');
    return {
      seq: BigInt.asIntN(64, space.u64(infoAt + info.offset('seq'))),
      tsNs: BigInt.asIntN(64, space.u64(infoAt + info.offset('ts_nsec'))),
      level: (space.u8(infoAt + level.offset) >>> level.bitOffset) & ((1 << level.bitSize) - 1),
      facility: space.u8(infoAt + info.offset('facility')),
      caller:
        caller === 0 && stage === committed ? null : caller >= callerIsCpu ? `C${caller - callerIsCpu}` : `T${caller}`,
      text: this.#text(ring, descAt, space.u16(infoAt + info.offset('text_len')), id),
    };
  }

  #text(ring: Gva, descAt: Gva, length: number, id: bigint): string {
    const { space, types } = this.#kernel;
    const layout = types.struct('printk_ringbuffer');
    const block = types.struct('prb_desc').offset('text_blk_lpos');
    const begin = space.u64(descAt + block);
    const next = space.u64(descAt + block + 8);
    if ((begin & 1n) === 1n) return '';
    const sizeBits = space.u32(ring + layout.offset('text_data_ring.size_bits'));
    if (sizeBits > 30) throw new GuestFault('the kernel log is broken');
    const size = 1n << BigInt(sizeBits);
    // A block that would cross the end of the area lies at its start instead.
    const wraps = begin >> BigInt(sizeBits) !== next >> BigInt(sizeBits) && (next & (size - 1n)) !== 0n;
    const start = wraps ? 0n : begin & (size - 1n);
    const room = (wraps ? next & (size - 1n) : next - begin) - blockHeader;
    const data = space.pointer(ring + layout.offset('text_data_ring.data'));
    if (room < 0n || room > size || space.u64(data + Number(start)) !== id) return '';
    return decodeText(space.bytes(data + Number(start + blockHeader), Math.min(length, Number(room))));
  }
}
