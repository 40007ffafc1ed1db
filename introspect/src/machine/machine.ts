/**
 * One linuxsql-vm as the service knows it: its control connection, its memory, its kernel, its fault log.
 * Everything is made on first use, and made anew when the daemon has gone and come back.
 */
import { introspectError, IntrospectError } from '../errors.js';
import { hartSnapshot, machineState } from '../gen/telemetry.js';
import type { RelationName } from '../gen/relations.js';
import { frameType } from '../gen/wire.js';
import { taskReader } from '../kernel/identify.js';
import type { Kernel } from '../kernel/kernel.js';
import { FaultLog } from '../telemetry/fault-log.js';
import { decodeHart, type HartState } from '../telemetry/hart.js';
import { FrameWriter } from '../wire/payload.js';
import { ControlChannel } from './control-channel.js';
import { KernelKeeper, type Instant } from './kernel-keeper.js';
import { LingeringView } from './linger.js';
import { mapMachine, type Mapping } from './mapping.js';

const connectMs = 3000;
/** The hart may be waiting for PostgreSQL before it reaches an instruction boundary. */
const viewMs = 15_000;

/** An instant of the machine, held until it is closed. */
export interface MachineView extends Instant {
  id: bigint;
  hart: HartState;
  link: Link;
}

export interface MachineStatus {
  state: string;
  instret: bigint;
  pc: bigint;
  timeNs: bigint;
  ramBytes: bigint;
  hz: bigint;
}

/** What hangs on one life of the daemon. */
export class Link {
  readonly channel: ControlChannel;
  readonly mapping: Mapping;
  readonly keeper: KernelKeeper;
  readonly faults: FaultLog;
  /** Rows that the last whole scan of a relation gave, for the planner's estimates. */
  readonly rowCounts = new Map<RelationName, number>();
  #drainedGeneration: bigint;

  constructor(channel: ControlChannel, mapping: Mapping) {
    this.channel = channel;
    this.mapping = mapping;
    this.keeper = new KernelKeeper(mapping.memory);
    this.faults = new FaultLog(mapping.telemetry.ring('pageFaults'));
    this.#drainedGeneration = mapping.telemetry.generation;
  }

  /** Brings the fault log up to date; kernel names the processes, if there is one; still: a view holds the guest. */
  drain(kernel: Kernel | undefined, still: boolean): void {
    const { telemetry } = this.mapping;
    const { generation } = telemetry;
    const rebooted = generation !== this.#drainedGeneration;
    this.#drainedGeneration = generation;
    const readTask = kernel && !rebooted ? taskReader(kernel) : undefined;
    this.faults.drain(readTask, rebooted ? 0 : idleNs(telemetry.hart()), still);
  }

  close(): void {
    this.channel.close();
    this.mapping.release();
  }
}

/** Guest time skipped by WFI, ns: guest time is instructions, one nanosecond each, and what was skipped. */
export function idleNs(hart: HartState): number {
  return Number(hart.timeNs - hart.instret);
}

export class Machine {
  readonly name: string;
  readonly #path: string;
  readonly #linger = new LingeringView((view) => this.#releaseView(view));
  #link: Promise<Link> | undefined;
  /** The last connection made, perhaps lost since. */
  #live: Link | undefined;

  constructor(name: string, path: string) {
    this.name = name;
    this.#path = path;
  }

  /** The live connection; throws machineUnreachable. */
  async link(): Promise<Link> {
    const held = this.#link;
    const current = held && (await held.catch(() => undefined));
    if (current && !current.channel.lost()) return current;
    if (this.#link === held) {
      current?.close();
      this.#link = this.#connect();
    }
    const attempt = this.#link ?? this.#connect();
    try {
      return (this.#live = await attempt);
    } catch (error) {
      if (this.#link === attempt) this.#link = undefined;
      throw error;
    }
  }

  async #connect(): Promise<Link> {
    const channel = await ControlChannel.connect(this.#path, connectMs);
    try {
      return new Link(channel, await mapMachine(channel, connectMs));
    } catch (error) {
      channel.close();
      throw error;
    }
  }

  /** Fixes an instant: the hart stands still at an instruction boundary until closeView. */
  async openView(timeoutMs = viewMs): Promise<MachineView> {
    const lingering = this.#linger.reuse();
    if (lingering) return lingering;
    const view = await this.#openView(timeoutMs);
    this.#linger.opened(view);
    return view;
  }

  async #openView(timeoutMs: number): Promise<MachineView> {
    const live = this.#live;
    if (live && !live.channel.closed) {
      try {
        return await this.#viewOf(live, timeoutMs);
      } catch (error) {
        // Whether the daemon is still the same one shows only now; then a new connection is tried, once.
        if (!live.channel.closed) throw error;
      }
    }
    return this.#viewOf(await this.link(), timeoutMs);
  }

  async #viewOf(link: Link, timeoutMs: number): Promise<MachineView> {
    const { type, fields } = await link.channel.request(frameType.vmViewOpen, new FrameWriter(), timeoutMs);
    if (type !== frameType.vmView) throw introspectError('protocol', 'the machine did not answer with a view');
    const view = { id: fields.u64(), instret: fields.u64(), timeNs: fields.u64(), generation: fields.u64() };
    return { ...view, hart: decodeHart(fields.bytes(hartSnapshot.size)), link };
  }

  closeView(view: MachineView): void {
    this.#linger.close(view);
  }

  #releaseView(view: MachineView): void {
    try {
      view.link.channel.post(frameType.vmViewClose, new FrameWriter().u64(view.id));
    } catch {
      // The daemon is gone, and its views with it.
      view.link.channel.close();
    }
  }

  /** Throws viewGone when the guest has moved on: the daemon closed the view because it grew too old, or died. */
  requireHeld(view: MachineView): void {
    const { channel, mapping } = view.link;
    const { telemetry } = mapping;
    if (!channel.closed && telemetry.instret() === view.instret && telemetry.generation === view.generation) return;
    throw introspectError(
      'viewGone',
      `the view of machine ${this.name} was ended by the machine`,
      'run the statement again',
    );
  }

  async status(): Promise<MachineStatus> {
    const link = await this.link();
    const { type, fields } = await link.channel.request(frameType.vmStatus, new FrameWriter(), connectMs);
    if (type !== frameType.vmState) throw introspectError('protocol', 'the machine did not answer with its state');
    const state = stateName(fields.u32());
    fields.u32();
    const [instret, pc, timeNs] = [fields.u64(), fields.u64(), fields.u64()];
    fields.u64();
    return { state, instret, pc, timeNs, ramBytes: fields.u64(), hz: fields.u64() };
  }

  /** Called on a timer: drains the rings of a machine that runs. True when there was something to drain; never throws. */
  async tick(): Promise<boolean> {
    try {
      const link = await this.link();
      const { telemetry } = link.mapping;
      const { state } = telemetry.hart();
      if (state !== machineState.running && state !== machineState.stepping) return false;
      const before = link.faults.drained;
      link.drain(link.keeper.glance(telemetry.generation), false);
      const busy = link.faults.drained > before;
      // Faults come with processes, and processes can be named only while they live.
      if (busy) link.keeper.seek(telemetry.generation);
      return busy;
    } catch (error) {
      if (!(error instanceof IntrospectError)) throw error;
      return false;
    }
  }

  async close(): Promise<void> {
    const link = this.#link && (await this.#link.catch(() => undefined));
    link?.close();
    this.#link = undefined;
  }
}

export function stateName(value: number): string {
  const known = Object.entries(machineState).find(([, number]) => number === value);
  return known ? known[0] : `state ${value}`;
}
