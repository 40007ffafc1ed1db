/** The hart snapshot of the telemetry area and of VM_VIEW answers: the registers introspection needs. */
import { hartSnapshot } from '../gen/telemetry.js';

export interface HartState {
  instret: bigint;
  timeNs: bigint;
  pc: bigint;
  tp: bigint;
  priv: number;
  satp: bigint;
  sscratch: bigint;
  state: number;
  hostRunNs: bigint;
  hz: bigint;
}

export const hartSnapshotBytes = hartSnapshot.size;

/** bytes: at least hartSnapshotBytes, a consistent copy. */
export function decodeHart(bytes: Uint8Array): HartState {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u64 = (offset: number) => view.getBigUint64(offset, true);
  return {
    instret: u64(hartSnapshot.instret),
    timeNs: u64(hartSnapshot.timeNs),
    pc: u64(hartSnapshot.pc),
    tp: u64(hartSnapshot.x + 4 * 8),
    priv: Number(u64(hartSnapshot.priv)),
    satp: u64(hartSnapshot.satp),
    sscratch: u64(hartSnapshot.sscratch),
    state: Number(u64(hartSnapshot.state)),
    hostRunNs: u64(hartSnapshot.hostRunNs),
    hz: u64(hartSnapshot.hz),
  };
}
