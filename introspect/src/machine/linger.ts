/**
 * Keeps the last view of a paused machine a little longer than its user did, so that statements that follow
 * each other share it and spare a round trip each. It is shared only while the machine still stands at its
 * instant.
 */
import { machineState } from '../gen/telemetry.js';
import type { MachineView } from './machine.js';

/** After its last use. */
const idleMs = 2;
/** Since it was opened; then the next user gets a view of its own. */
const oldestMs = 1000;

interface Shared {
  view: MachineView;
  users: number;
  openedAt: number;
  usedAt: number;
}

export class LingeringView {
  readonly #release: (view: MachineView) => void;
  #shared: Shared | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** release ends a view at the daemon. */
  constructor(release: (view: MachineView) => void) {
    this.#release = release;
  }

  /** The lingering view, when it is fresh; its user gives it back with close(). */
  reuse(): MachineView | undefined {
    const shared = this.#shared;
    if (!shared || shared.view.link.channel.closed || performance.now() - shared.openedAt > oldestMs) return undefined;
    if (!standsAt(shared.view)) return undefined;
    shared.users++;
    return shared.view;
  }

  /** A view was opened at the daemon: it may linger if the machine is paused and no other view does. */
  opened(view: MachineView): void {
    if (view.hart.state !== machineState.paused || this.#shared) return;
    const now = performance.now();
    this.#shared = { view, users: 1, openedAt: now, usedAt: now };
  }

  /** A user is done with a view. */
  close(view: MachineView): void {
    const shared = this.#shared;
    if (shared?.view !== view) {
      this.#release(view);
      return;
    }
    shared.users--;
    shared.usedAt = performance.now();
    if (shared.users > 0) return;
    if (shared.usedAt - shared.openedAt > oldestMs) this.#end();
    else if (this.#timer === undefined) this.#timer = setTimeout(() => this.#look(), idleMs);
  }

  #look(): void {
    this.#timer = undefined;
    const shared = this.#shared;
    if (!shared || shared.users > 0) return;
    const now = performance.now();
    const due = now - shared.usedAt >= idleMs || now - shared.openedAt > oldestMs;
    if (due) this.#end();
    else this.#timer = setTimeout(() => this.#look(), idleMs);
  }

  #end(): void {
    const shared = this.#shared;
    this.#shared = undefined;
    if (shared) this.#release(shared.view);
  }
}

/** Whether the machine is where the view was opened. */
function standsAt(view: MachineView): boolean {
  const { telemetry, views } = view.link.mapping;
  const { state, instret, timeNs } = telemetry.hart();
  const same = state === machineState.paused && instret === view.instret && timeNs === view.timeNs;
  return same && telemetry.generation === view.generation && views.isOpen(view.key);
}
