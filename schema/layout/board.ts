/** The board: physical address map and interrupt lines, the same as QEMU's riscv `virt` machine where both have a device. */
export interface Device {
  name: string;
  base: number;
  size: number;
  /** PLIC source, 0 = none. */
  irq: number;
  doc: string;
}

export const ramBase = 0x8000_0000;
/** mtime ticks per second; one instruction is nominally 1 ns, so 100 instructions a tick. */
export const timebaseHz = 10_000_000;
export const plicSources = 96;
export const virtioSlots = 8;

/** Where boot code lies below RAM: reset vector and fw_dynamic_info. */
export const bootRom: Device = {
  name: 'rom',
  base: 0x1000,
  size: 0xf000,
  irq: 0,
  doc: 'reset vector, fw_dynamic_info',
};

export const devices: Device[] = [
  {
    name: 'syscon',
    base: 0x10_0000,
    size: 0x1000,
    irq: 0,
    doc: 'sifive,test finisher: poweroff 0x5555, reboot 0x7777',
  },
  { name: 'rtc', base: 0x10_1000, size: 0x1000, irq: 11, doc: 'goldfish RTC' },
  { name: 'clint', base: 0x200_0000, size: 0x1_0000, irq: 0, doc: 'CLINT: msip, mtimecmp, mtime' },
  { name: 'plic', base: 0xc00_0000, size: 0x60_0000, irq: 0, doc: 'PLIC: contexts 0 (M) and 1 (S) of hart 0' },
  { name: 'uart', base: 0x1000_0000, size: 0x100, irq: 10, doc: '16550A UART, register shift 0' },
  ...Array.from({ length: virtioSlots }, (_, slot) => ({
    name: `virtio${slot}`,
    base: 0x1000_1000 + slot * 0x1000,
    size: 0x1000,
    irq: 1 + slot,
    doc: `virtio-mmio slot ${slot}`,
  })),
];

/** Which virtio device sits in which slot. */
export const virtioAssignment = { blk: 0, console: 1, rng: 2, net: 3 } as const;

/** Load addresses, offsets from RAM base. OpenSBI's fw_dynamic jumps to the kernel at +2 MiB. */
export const loadOffsets = { firmware: 0x0, kernel: 0x20_0000 } as const;

/** Bytes kept for /chosen/bootargs in the device tree; the daemon patches it in place. */
export const bootargsCapacity = 1024;

/** Single-letter and multi-letter extensions announced to the guest. */
export const isaString =
  'rv64imafdc_zicbom_zicboz_zicbop_zicsr_zifencei_zihintpause_zicond_zba_zbb_zbc_zbs_sstc_svadu_svinval_svnapot_svpbmt';
/** Bytes of a Zicbom/Zicboz block. */
export const cacheBlockBytes = 64;
export const mmuType = 'riscv,sv48';
export const defaultBootargs = 'console=ttyS0 root=/dev/vda rw earlycon=sbi';
