/** The task at the address a fault record carries. The guest may be running: nothing read here is trusted. */
import { LayoutError } from '../btf/layout.js';
import { GuestFault } from '../memory/guest-fault.js';
import type { ReadTask } from '../telemetry/context-pids.js';
import type { Kernel } from './kernel.js';
import { TaskFields } from './task-fields.js';

const pageBytes = 4096;
const printable = /^[ -~]+$/;

/** A reader for this kernel, or undefined when it lacks what that needs. */
export function taskReader(kernel: Kernel): ReadTask | undefined {
  try {
    return makeReader(kernel);
  } catch (error) {
    if (error instanceof LayoutError) return undefined;
    throw error;
  }
}

function makeReader(kernel: Kernel): ReadTask {
  const fields = kernel.decoder(TaskFields);
  const pgd = kernel.types.struct('mm_struct', 'pgd').offset('pgd');
  const { space } = kernel;
  return (context) => {
    try {
      const pid = space.i32(context + fields.tgid);
      const leader = space.pointer(context + fields.groupLeader);
      const sound =
        pid >= 0 && space.i32(leader + fields.pid) === pid && printable.test(space.text(context + fields.comm, 16));
      if (!sound) return undefined;
      const mm = space.pointer(context + fields.activeMm);
      const root = mm < 0 ? space.translate(space.pointer(mm + pgd)) : -1;
      return { pid, startNs: space.count(context + fields.startBoottime), rootPage: root < 0 ? NaN : root / pageBytes };
    } catch (error) {
      if (error instanceof GuestFault) return undefined;
      throw error;
    }
  };
}
