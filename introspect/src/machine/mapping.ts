/** A machine's shared memory: guest RAM, the telemetry area and the view area, mapped read-only through VM_MAP. */
import { introspectError } from '../errors.js';
import { frameType } from '../gen/wire.js';
import { GuestMemory, type Extent } from '../memory/guest-memory.js';
import { Residency } from '../memory/residency.js';
import { ViewPages } from '../memory/view-pages.js';
import { TelemetryArea } from '../telemetry/area.js';
import { FrameWriter } from '../wire/payload.js';
import type { ControlChannel } from './control-channel.js';
import { native } from './native.js';

/** As many 32-bit words as one typed array holds. */
const largestRam = 16 * 2 ** 30;
/** Gaps below this are scanned with their neighbours rather than around them. */
const mergeBytes = 64 * 1024;
/** Between two looks whether memory has come. */
const pauseMicroseconds = 200;

export interface Mapping {
  memory: GuestMemory;
  views: ViewPages;
  telemetry: TelemetryArea;
  /** Gives back the descriptor; the memory itself stays mapped while it is referred to. */
  release(): void;
}

export async function mapMachine(channel: ControlChannel, timeoutMs: number): Promise<Mapping> {
  const { type, fields, descriptors } = await channel.request(frameType.vmMap, new FrameWriter(), timeoutMs);
  const [ram, area, viewArea, ...others] = descriptors;
  for (const other of others) native().closeDescriptor(other);
  try {
    if (type !== frameType.vmMapped || ram === undefined || area === undefined || viewArea === undefined) {
      throw introspectError('machineUnreachable', 'the machine did not hand over its memory');
    }
    const ramBase = Number(fields.u64());
    const ramBytes = Number(fields.u64());
    const areaBytes = Number(fields.u64());
    const viewBytes = Number(fields.u64());
    if (!(ramBytes > 0 && ramBytes <= largestRam)) {
      throw introspectError('unsupported', 'guests with more than 16 GB of memory cannot be read');
    }
    const telemetry = new TelemetryArea(native().mapShared(area, areaBytes));
    const guest = native().mapShared(ram, ramBytes);
    const sharedViews = native().mapShared(viewArea, viewBytes);
    const residency = new Residency(sharedViews, ramBytes, {
      ask: (page, pages) => channel.post(frameType.vmLoad, new FrameWriter().u64(BigInt(page)).u64(BigInt(pages))),
      pause: () => channel.listen(pauseMicroseconds),
    });
    const views = new ViewPages(guest, sharedViews, residency);
    const populated = () => merge([...extents(ram, ramBytes), ...residency.absent()]);
    const memory = new GuestMemory(guest, ramBase, populated, views, residency);
    return { memory, views, telemetry, release: () => native().closeDescriptor(ram) };
  } catch (error) {
    if (ram !== undefined) native().closeDescriptor(ram);
    throw error;
  } finally {
    if (area !== undefined) native().closeDescriptor(area);
    if (viewArea !== undefined) native().closeDescriptor(viewArea);
  }
}

function extents(descriptor: number, bytes: number): Extent[] {
  const flat = native().populatedExtents(descriptor, bytes);
  const out: Extent[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) out.push({ start: flat[i]!, end: Math.min(flat[i + 1]!, bytes) });
  return out;
}

function merge(extents: Extent[]): Extent[] {
  const merged: Extent[] = [];
  for (const { start, end } of extents.sort((a, b) => a.start - b.start)) {
    const last = merged[merged.length - 1];
    if (last && start - last.end < mergeBytes) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  return merged;
}
