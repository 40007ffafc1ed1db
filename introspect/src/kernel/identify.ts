/** Which process a fault record's context belongs to. The guest may be running: nothing read here is trusted. */
import { LayoutError } from '../btf/layout.js';
import { GuestFault } from '../memory/guest-fault.js';
import type { IdentifyContext } from '../telemetry/fault-log.js';
import type { Kernel } from './kernel.js';
import { TaskFields } from './task-fields.js';

const pageBytes = 4096;

/** identifyContext, or undefined when this kernel lacks what it needs. */
export function identifierOf(kernel: Kernel): IdentifyContext | undefined {
  try {
    return identifyContext(kernel);
  } catch (error) {
    if (error instanceof LayoutError) return undefined;
    throw error;
  }
}

/**
 * A context is believed to be a task when the address space it uses is the one the fault happened under:
 * the page table of its mm (or of the one a kernel thread borrowed) is the page satp names.
 */
function identifyContext(kernel: Kernel): IdentifyContext {
  const fields = kernel.decoder(TaskFields);
  const pgd = kernel.types.struct('mm_struct', 'pgd').offset('pgd');
  const { space } = kernel;
  return (context, satpPage) => {
    try {
      const mm = space.pointer(context + fields.activeMm);
      const pid = space.i32(context + fields.tgid);
      const root = space.translate(space.pointer(mm + pgd));
      return pid >= 0 && root === satpPage * pageBytes ? pid : undefined;
    } catch (error) {
      if (error instanceof GuestFault) return undefined;
      throw error;
    }
  };
}
