/**
 * One linuxsql-vm as the service knows it: its control connection, its memory, its kernel, its fault log.
 * Everything is made on first use, and made anew when the daemon has gone and come back.
 */
import { introspectError, IntrospectError } from '../errors.js';
import { counters, hartSnapshot, machineState, rings } from '../gen/telemetry.js';
import type { RelationName } from '../gen/relations.js';
import { frameType } from '../gen/wire.js';
import { taskReader } from '../kernel/identify.js';
import type { Kernel } from '../kernel/kernel.js';
import type { RingName } from '../telemetry/area.js';
import { FaultLog, type HotSpot } from '../telemetry/fault-log.js';
import { decodeHart, type HartState } from '../telemetry/hart.js';
import { FrameWriter, type PayloadReader } from '../wire/payload.js';
import { ControlChannel } from './control-channel.js';
import { KernelKeeper, type Instant } from './kernel-keeper.js';
import { LingeringView } from './linger.js';
import { mapMachine, type Mapping } from './mapping.js';

const connectMs = 3000;
/** The hart may be waiting for PostgreSQL before it reaches an instruction boundary. */
const viewMs = 15_000;

const mostWords = 4096;

/** An instant of the machine, held until it is closed. */
export interface MachineView extends Instant {
  id: bigint;
  hart: HartState;
  link: Link;
  /** Records every ring had. */
  rings: Record<RingName, number>;
  /** Counter values by slot. */
  counters: BigUint64Array;
  /** Kept once asked for: the fault log goes on. */
  hotSpots?: HotSpot[];
}

/** Where a machine stood when it was hashed. */
export interface Standing {
  boot: bigint;
  instret: bigint;
  timeNs: bigint;
  pc: bigint;
  /** SHA-256 of hart, devices and RAM, hexadecimal. */
  hash: string;
}

export interface MachineStatus {
  state: string;
  instret: bigint;
  pc: bigint;
  timeNs: bigint;
  ramBytes: bigint;
  hz: bigint;
  generation: bigint;
}

/** What hangs on one life of the daemon. */
export class Link {
  readonly channel: ControlChannel;
  readonly mapping: Mapping;
  readonly keeper: KernelKeeper;
  readonly faults: FaultLog;
  /** Rows that the last whole scan of a relation gave, for the planner's estimates. */
  readonly rowCounts = new Map<RelationName, number>();
  /** Views of this connection that are open. */
  readonly views = new Set<MachineView>();
  #drainedGeneration: bigint;

  constructor(channel: ControlChannel, mapping: Mapping) {
    this.channel = channel;
    this.mapping = mapping;
    this.keeper = new KernelKeeper(mapping.memory);
    this.faults = new FaultLog(mapping.telemetry.ring('pageFaults'));
    this.#drainedGeneration = mapping.telemetry.generation;
  }

  /**
   * Brings the fault log up to date, at most to the instant of the view, whose kernel names the processes; without
   * a view kernel is that of the running guest.
   */
  drain(kernel: Kernel | undefined, view: MachineView | undefined): void {
    const { telemetry } = this.mapping;
    const { generation } = telemetry;
    const rebooted = generation !== this.#drainedGeneration;
    this.#drainedGeneration = generation;
    const readTask = kernel && !rebooted ? taskReader(kernel) : undefined;
    const skipped = rebooted ? 0 : idleNs(view ? view.hart : telemetry.hart());
    this.faults.drain(readTask, skipped, view !== undefined, view ? view.rings.pageFaults : this.#oldestCut());
  }

  /** What a view shows of the fault log must not be mixed with later records, unless they would be overwritten. */
  #oldestCut(): number {
    let cut = Infinity;
    for (const view of this.views) cut = Math.min(cut, view.rings.pageFaults);
    const { committed } = this.mapping.telemetry.ring('pageFaults').extent();
    return committed - this.faults.drained > rings.pageFaults.capacity / 2 ? Infinity : cut;
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
  #name: string;
  readonly #path: string;
  readonly #linger = new LingeringView((view) => this.#releaseView(view));
  #link: Promise<Link> | undefined;
  /** The last connection made, perhaps lost since. */
  #live: Link | undefined;

  constructor(name: string, path: string) {
    this.#name = name;
    this.#path = path;
  }

  get name(): string {
    return this.#name;
  }

  /** A replayed machine that went on stands at another instant, and is called so. */
  rename(name: string): void {
    this.#name = name;
    this.#live?.rowCounts.clear();
  }

  /** Whether a view of it is open. */
  get inUse(): boolean {
    return (this.#live?.views.size ?? 0) > 0;
  }

  /** Whether its daemon takes connections. */
  async answers(): Promise<boolean> {
    try {
      await this.link();
      return true;
    } catch (error) {
      if (error instanceof IntrospectError) return false;
      throw error;
    }
  }

  async step(condition: string, mostInsns: bigint, timeoutMs: number): Promise<{ met: boolean; instret: bigint }> {
    const fields = await this.#ask(frameType.vmStep, new FrameWriter().text(condition).u64(mostInsns), timeoutMs);
    fields.text();
    return { met: fields.u8() !== 0, instret: fields.u64() };
  }

  /** Returns once every input the guest was given so far is in the database's log. */
  async logSync(timeoutMs: number): Promise<void> {
    await this.#ask(frameType.vmLogSync, new FrameWriter(), timeoutMs);
  }

  /** The hash of its whole state, and where it stood then. One that runs goes on. */
  async hash(timeoutMs: number): Promise<Standing> {
    const fields = await this.#ask(frameType.vmHash, new FrameWriter(), timeoutMs);
    const [boot, instret, timeNs, pc] = [fields.u64(), fields.u64(), fields.u64(), fields.u64()];
    return { boot, instret, timeNs, pc, hash: fields.text() };
  }

  async #ask(type: number, payload: FrameWriter, timeoutMs: number): Promise<PayloadReader> {
    const link = await this.link();
    return (await link.channel.request(type, payload, timeoutMs)).fields;
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

  /** A view of a paused machine that is open already, to be closed like any other; undefined: open one. */
  sharedView(): MachineView | undefined {
    return this.#linger.reuse();
  }

  /** Fixes an instant, to be read until closeView; the guest goes on. */
  async openView(timeoutMs = viewMs): Promise<MachineView> {
    const lingering = this.sharedView();
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
    const instant = { id: fields.u64(), instret: fields.u64(), timeNs: fields.u64(), generation: fields.u64() };
    const hart = decodeHart(fields.bytes(hartSnapshot.size));
    const epoch = Number(fields.u64());
    const key = { epoch, place: fields.u32() };
    const committed = words(fields);
    const values = words(fields);
    if (committed.length !== Object.keys(rings).length || values.length !== counters.length)
      throw introspectError('protocol', 'the view of the machine is malformed');
    const ring = (name: RingName) => Number(committed[rings[name].number]!);
    const view: MachineView = {
      ...instant,
      key,
      hart,
      link,
      rings: { pageFaults: ring('pageFaults'), traps: ring('traps'), console: ring('console') },
      counters: values,
    };
    link.views.add(view);
    return view;
  }

  closeView(view: MachineView): void {
    this.#linger.close(view);
  }

  #releaseView(view: MachineView): void {
    view.link.views.delete(view);
    try {
      view.link.channel.post(frameType.vmViewClose, new FrameWriter().u64(view.id));
    } catch {
      // The daemon is gone, and its views with it.
      view.link.channel.close();
    }
  }

  /** Throws viewGone when the view is lost: it grew too old, the guest changed too much meanwhile, or the daemon died. */
  requireHeld(view: MachineView): void {
    const { channel, mapping } = view.link;
    if (!channel.closed && mapping.views.isOpen(view.key)) return;
    throw introspectError(
      'viewGone',
      `the view of machine ${this.name} was ended by the machine`,
      'run the statement again, or raise --view-pool or --view-timeout of linuxsql-vm',
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
    const [ramBytes, hz, generation] = [fields.u64(), fields.u64(), fields.u64()];
    return { state, instret, pc, timeNs, ramBytes, hz, generation };
  }

  /** Called on a timer: drains the rings of a machine that runs. True when there was something to drain; never throws. */
  async tick(): Promise<boolean> {
    try {
      const link = await this.link();
      const { telemetry } = link.mapping;
      const { state } = telemetry.hart();
      if (state !== machineState.running && state !== machineState.stepping) return false;
      // Nobody waits for it here, so nothing is loaded for it.
      if (link.mapping.memory.loading) return false;
      const before = link.faults.drained;
      link.drain(link.keeper.glance(telemetry.generation), undefined);
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

/** A counted list of words, as VM_VIEW carries it. */
function words(fields: PayloadReader): BigUint64Array {
  const count = fields.u32();
  if (count > mostWords) throw introspectError('protocol', 'the view of the machine is malformed');
  const out = new BigUint64Array(count);
  for (let i = 0; i < count; i++) out[i] = fields.u64();
  return out;
}
