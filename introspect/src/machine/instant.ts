/** Names of past instants: MACHINE@INSTRET in the present boot, MACHINE@BOOT:INSTRET in any. */
export interface Instant {
  machine: string;
  /** undefined: the boot the machine is in. */
  boot: bigint | undefined;
  instret: bigint;
}

const pattern = /^([^@]+)@(?:(\d{1,18}):)?(\d{1,18})$/;

/** undefined when the name is not one of an instant. */
export function parseInstant(name: string): Instant | undefined {
  const [, machine, boot, instret] = pattern.exec(name) ?? [];
  if (machine === undefined || instret === undefined) return undefined;
  return { machine, boot: boot === undefined ? undefined : BigInt(boot), instret: BigInt(instret) };
}
