/**
 * Holds what has been found of a machine's kernel, for as long as it is still that kernel: one boot of the
 * machine, and the bytes it was recognised by unchanged.
 */
import { LayoutError } from '../btf/layout.js';
import { introspectError, IntrospectError } from '../errors.js';
import { attach, findSymbols } from '../kernel/attach.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Symbols } from '../kallsyms/symbols.js';
import { GuestFault } from '../memory/guest-fault.js';
import type { GuestMemory } from '../memory/guest-memory.js';
import type { ViewKey } from '../memory/view-pages.js';

/** One instant of one boot, and the view that shows it. */
export interface Instant {
  key: ViewKey;
  generation: bigint;
  instret: bigint;
  timeNs: bigint;
}

/** How often a running guest is searched for its kernel. */
const seekMs = 250;

export class KernelKeeper {
  readonly #memory: GuestMemory;
  #kernel: Kernel | undefined;
  #failure: { instant: Instant; error: IntrospectError } | undefined;
  /** Symbols found before there was a kernel that could be read. */
  #early: { instant: Instant; symbols: Symbols } | undefined;
  #seen: Instant | undefined;
  #generation: bigint | undefined;
  #soughtAt = -Infinity;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
  }

  /** The kernel as of an instant; all reads through it see that instant until another is chosen. Throws IntrospectError when there is none yet. */
  at(instant: Instant): Kernel {
    this.#memory.select(instant.key);
    if (this.#generation !== instant.generation) this.#kernel = undefined;
    if (this.#failure && same(this.#failure.instant, instant)) throw this.#failure.error;
    this.#failure = undefined;
    if (this.#kernel && !this.#seen) this.#kernel.newInstant();
    else if (this.#kernel && !same(this.#seen!, instant)) this.#refresh(this.#kernel);
    if (!this.#kernel) this.#attach(instant);
    this.#seen = instant;
    this.#generation = instant.generation;
    return this.#kernel!;
  }

  /** Goes back to an instant whose kernel is in use already: scans under different views take turns. */
  resume(instant: Instant): void {
    this.#memory.select(instant.key);
    if (this.#seen && same(this.#seen, instant)) return;
    this.#kernel?.newInstant();
    this.#seen = instant;
  }

  /** The kernel, or undefined while there is none to be read. */
  atOrNone(instant: Instant): Kernel | undefined {
    try {
      return this.at(instant);
    } catch (error) {
      if (error instanceof IntrospectError) return undefined;
      throw error;
    }
  }

  /** Symbols alone: they are in the image before the kernel has run its first instruction. */
  symbolsAt(instant: Instant): Symbols {
    this.#memory.select(instant.key);
    const { symbols } = this.atOrNone(instant) ?? {};
    if (symbols) return symbols;
    if (!this.#early || !same(this.#early.instant, instant))
      this.#early = { instant, symbols: findSymbols(this.#memory) };
    return this.#early.symbols;
  }

  #refresh(kernel: Kernel): void {
    if (kernel.stillThere()) kernel.newInstant();
    else this.#kernel = undefined;
  }

  #attach(instant: Instant): void {
    try {
      this.#kernel = attach(this.#memory);
    } catch (error) {
      const told = asIntrospectError(error);
      if (told.code !== 'viewGone' && told.code !== 'notLoaded') this.#failure = { instant, error: told };
      throw told;
    }
  }

  /** The kernel if it is known already, for looks at a running guest: whatever they leave cached is dropped. */
  glance(generation: bigint): Kernel | undefined {
    this.#memory.select(undefined);
    const kernel = this.#generation === generation ? this.#kernel : undefined;
    kernel?.newInstant();
    this.#seen = undefined;
    return kernel;
  }

  /** Looks for the kernel of a running guest, at most every so often; every find is checked as always. */
  seek(generation: bigint): void {
    this.#memory.select(undefined);
    const now = performance.now();
    if (this.#generation === generation && this.#kernel) return;
    if (now - this.#soughtAt < seekMs) return;
    this.#soughtAt = now;
    try {
      this.#kernel = attach(this.#memory);
      this.#generation = generation;
      this.#seen = undefined;
    } catch (error) {
      asIntrospectError(error);
    }
  }
}

/** What looks like a kernel and is none, or not yet, shows as addresses that lead nowhere and members that lack. */
function asIntrospectError(error: unknown): IntrospectError {
  if (error instanceof IntrospectError) return error;
  if (!(error instanceof GuestFault) && !(error instanceof LayoutError)) throw error;
  return introspectError('kernelNotReady', 'the kernel in guest memory cannot be read', '', error.message);
}

function same(a: Instant, b: Instant): boolean {
  return a.generation === b.generation && a.instret === b.instret && a.timeNs === b.timeNs;
}
