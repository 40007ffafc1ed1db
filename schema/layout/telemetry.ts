/**
 * The telemetry area: one memfd per machine, written by linuxsql-vm alone, mapped read-only by readers.
 * docs/protocol.md, "Telemetry area", states the reading rules.
 */
import type { Enumeration, Layout } from '../vocabulary.js';

export const magic = 0x314c_4554_4c51_534cn; // "LSQLTEL1", little-endian
export const viewMagic = 0x3157_4956_4c51_534cn; // "LSQLVIW1", little-endian
export const pageBytes = 4096;

/** Byte offsets of the sections; every ring's own offset stands in its descriptor. */
export const sectionOffsets = { header: 0, hart: 4096, counters: 8192, strings: 16384, rings: 32768 } as const;
export const counterSlots = 1024;
export const stringBytes = 16384;
export const noPage = 0xffff_ffff_ffff_ffffn;

export const ringDescriptor: Layout = {
  name: 'ring_descriptor',
  doc: 'One ring. A record with sequence number n (from 0) lies at offset + (n % capacity) * record_size.',
  size: 64,
  fields: [
    { name: 'offset', type: 'u64', doc: 'byte offset of record 0 in the area' },
    { name: 'capacity', type: 'u64', doc: 'records, a power of two' },
    { name: 'record_size', type: 'u64', doc: 'bytes' },
    { name: 'reserved', type: 'u64', doc: 'records begun: stored (release) before a record is written' },
    { name: 'committed', type: 'u64', doc: 'records finished: stored (release) after a record is written' },
    {
      name: 'first',
      type: 'u64',
      doc: 'oldest record there ever was here: not 0 in a replay that began at a checkpoint',
    },
    {
      name: 'grows',
      type: 'u64',
      doc: 'from this record on instret never falls: the machine was reset or put back before it',
    },
    { name: 'padding', type: 'u64', doc: 'zero' },
  ],
};

export const header: Layout = {
  name: 'telemetry_header',
  doc: 'Section 0 of the area.',
  size: 576,
  fields: [
    { name: 'magic', type: 'u64', doc: 'LSQLTEL1' },
    { name: 'layout_hash', type: 'u64', doc: 'hash of schema/layout/telemetry.ts; readers refuse another' },
    { name: 'total_size', type: 'u64', doc: 'bytes of the area' },
    { name: 'ram_base', type: 'u64', doc: 'guest physical address of RAM' },
    { name: 'ram_size', type: 'u64', doc: 'bytes of guest RAM' },
    { name: 'generation', type: 'u64', doc: 'boot counter: changes at every reset of the machine' },
    { name: 'daemon_pid', type: 'u64', doc: 'host process id of linuxsql-vm' },
    { name: 'padding', type: 'u64', doc: 'zero' },
    { name: 'ring', type: 'u64', count: 64, doc: 'eight ring descriptors of 64 bytes, by ring number' },
  ],
};

export const hartSnapshot: Layout = {
  name: 'hart_snapshot',
  doc: 'Written at every input epoch, stop and view. A seqlock: odd sequence = being written.',
  size: 472,
  fields: [
    { name: 'sequence', type: 'u64', doc: 'seqlock' },
    { name: 'instret', type: 'u64', doc: 'instructions retired' },
    { name: 'time_ns', type: 'u64', doc: 'guest time: instret + idle jumps, ns' },
    { name: 'pc', type: 'u64', doc: 'program counter' },
    { name: 'x', type: 'u64', count: 32, doc: 'integer registers' },
    { name: 'priv', type: 'u64', doc: '0 = U, 1 = S, 3 = M' },
    { name: 'satp', type: 'u64', doc: '' },
    { name: 'mstatus', type: 'u64', doc: '' },
    { name: 'sscratch', type: 'u64', doc: '' },
    { name: 'stvec', type: 'u64', doc: '' },
    { name: 'sepc', type: 'u64', doc: '' },
    { name: 'scause', type: 'u64', doc: '' },
    { name: 'stval', type: 'u64', doc: '' },
    { name: 'sie', type: 'u64', doc: '' },
    { name: 'mip', type: 'u64', doc: '' },
    { name: 'medeleg', type: 'u64', doc: '' },
    { name: 'mideleg', type: 'u64', doc: '' },
    { name: 'mtvec', type: 'u64', doc: '' },
    { name: 'mepc', type: 'u64', doc: '' },
    { name: 'mcause', type: 'u64', doc: '' },
    { name: 'mtval', type: 'u64', doc: '' },
    { name: 'mscratch', type: 'u64', doc: '' },
    { name: 'state', type: 'u64', doc: 'enum machine_state' },
    { name: 'stop_reason', type: 'u64', doc: 'why it last stopped, enum stop_reason of the daemon' },
    { name: 'host_run_ns', type: 'u64', doc: 'host time spent running the hart' },
    { name: 'hz', type: 'u64', doc: 'guest instructions per host second over the last second of running' },
    { name: 'padding', type: 'u64', count: 2, doc: 'zero' },
  ],
};

/** Views a machine may have open at once. */
export const viewSlots = 64;

export const viewAreaHeader: Layout = {
  name: 'view_area_header',
  doc: 'Start of the view area: a memfd of its own with the page tags and the pre-image pool (docs/protocol.md, "View area").',
  size: 640,
  fields: [
    { name: 'magic', type: 'u64', doc: 'LSQLVIW1' },
    { name: 'total_size', type: 'u64', doc: 'bytes of the area' },
    { name: 'ram_pages', type: 'u64', doc: '4 KB pages of guest RAM' },
    { name: 'slot_count', type: 'u64', doc: 'pre-images the pool holds' },
    { name: 'tags_offset', type: 'u64', doc: 'u64 for each page: epoch in which it was last made writable' },
    { name: 'heads_offset', type: 'u64', doc: 'u32 for each page: its newest pre-image, slot number + 1; 0 = none' },
    { name: 'slots_offset', type: 'u64', doc: 'struct preimage_slot for each slot' },
    { name: 'pool_offset', type: 'u64', doc: '4 KB for each slot' },
    { name: 'change', type: 'u64', doc: 'seqlock over unlinked slots: odd while the chains are being changed' },
    { name: 'resident_offset', type: 'u64', doc: 'u8 for each 64 KB of RAM: 2 = it is there (while loading)' },
    { name: 'loading', type: 'u64', doc: '1 while RAM is being loaded from a checkpoint, else 0' },
    { name: 'padding', type: 'u64', count: 5, doc: 'zero' },
    {
      name: 'open',
      type: 'u64',
      count: viewSlots,
      doc: 'epoch of the open view in each place; 0 = none, or it was lost',
    },
  ],
};

export const preimageSlot: Layout = {
  name: 'preimage_slot',
  doc: 'What a page held for the views whose epoch lies in [first, last].',
  size: 32,
  fields: [
    { name: 'page', type: 'u64', doc: 'RAM page number' },
    { name: 'first', type: 'u64', doc: 'first epoch served' },
    { name: 'last', type: 'u64', doc: 'last epoch served; 0 = free slot' },
    { name: 'next', type: 'u32', doc: 'next older pre-image of the page, slot number + 1; 0 = none' },
    { name: 'padding', type: 'u32', doc: 'zero' },
  ],
};

export const pageFaultRecord: Layout = {
  name: 'page_fault_record',
  doc: 'A page fault (causes 12, 13, 15) or access fault (1, 5, 7) at the instant of its trap.',
  size: 64,
  fields: [
    { name: 'seq', type: 'u64', doc: 'sequence number from 0' },
    { name: 'instret', type: 'u64', doc: 'instructions retired before the faulting one' },
    { name: 'tval', type: 'u64', doc: 'faulting address' },
    { name: 'pc', type: 'u64', doc: 'address of the faulting instruction' },
    { name: 'satp', type: 'u64', doc: 'satp in force' },
    {
      name: 'physical_page',
      type: 'u64',
      doc: 'page the retried access reached, all ones until known; the one field patched later, by one atomic store',
    },
    { name: 'context', type: 'u64', doc: 'sscratch if the fault came from U-mode, else x4 (tp)' },
    { name: 'cause', type: 'u16', doc: 'exception code' },
    { name: 'priv', type: 'u8', doc: 'privilege before the trap' },
    { name: 'padding', type: 'u8', count: 5, doc: 'zero' },
  ],
};

export const trapRecord: Layout = {
  name: 'trap_record',
  doc: 'Any trap: exception or interrupt.',
  size: 48,
  fields: [
    { name: 'seq', type: 'u64', doc: 'sequence number from 0' },
    { name: 'instret', type: 'u64', doc: 'instructions retired' },
    { name: 'cause', type: 'u64', doc: 'as mcause/scause: bit 63 = interrupt' },
    { name: 'tval', type: 'u64', doc: '' },
    { name: 'pc', type: 'u64', doc: 'epc' },
    { name: 'priv_from', type: 'u8', doc: '' },
    { name: 'priv_to', type: 'u8', doc: '' },
    { name: 'padding', type: 'u8', count: 6, doc: 'zero' },
  ],
};

export const consoleRecord: Layout = {
  name: 'console_record',
  doc: 'Up to 40 bytes the guest wrote to its console, cut at newlines, full records and input epochs.',
  size: 64,
  fields: [
    { name: 'seq', type: 'u64', doc: 'sequence number from 0' },
    { name: 'instret', type: 'u64', doc: 'instructions retired when the last byte was written' },
    { name: 'length', type: 'u32', doc: 'bytes used' },
    { name: 'device', type: 'u32', doc: '0 = UART, 1 = virtio-console' },
    { name: 'bytes', type: 'u8', count: 40, doc: '' },
  ],
};

export const rings = [
  { name: 'page_faults', record: pageFaultRecord, capacity: 1 << 18 },
  { name: 'traps', record: trapRecord, capacity: 1 << 17 },
  { name: 'console', record: consoleRecord, capacity: 1 << 15 },
] as const;

export const machineState: Enumeration = {
  name: 'machine_state',
  doc: 'What the hart is doing.',
  entries: [
    { name: 'paused', value: 0, doc: 'stopped at an instruction boundary, ready to run' },
    { name: 'running', value: 1, doc: 'running, idle time paced to host time' },
    { name: 'stepping', value: 2, doc: 'running under vm_step_until, idle time skipped' },
    { name: 'poweroff', value: 3, doc: 'the guest has powered off' },
    { name: 'waiting', value: 4, doc: 'the hart waits for PostgreSQL' },
  ],
};

/** Why translated code gave the hart back to the interpreter; each reason has a counter, jit_exit_NAME. */
export const jitExit: Enumeration = {
  name: 'jit_exit',
  doc: 'Why translated code gave the hart back to the interpreter.',
  entries: [
    { name: 'untranslated', value: 0, doc: 'the way led to code of the page that is not translated' },
    { name: 'budget', value: 1, doc: 'an event, an input epoch or a limit was too near' },
    { name: 'lookup', value: 2, doc: 'a jump by address led to code that is not translated' },
    { name: 'fetch', value: 3, doc: 'the next instruction could not be fetched' },
    { name: 'ecall', value: 4, doc: 'environment call' },
    { name: 'xret', value: 5, doc: 'mret or sret' },
    { name: 'fence', value: 6, doc: 'sfence.vma or sinval.vma' },
    { name: 'wfi', value: 7, doc: 'WFI with nothing pending' },
    { name: 'trap', value: 8, doc: 'an instruction raised another exception' },
    { name: 'rewrite', value: 9, doc: 'decoded code was written' },
    { name: 'context', value: 10, doc: 'a CSR, a device or a stop changed what comes next' },
  ],
};

export interface Counter {
  name: string;
  unit: 'count' | 'bytes' | 'ns' | 'pages';
  doc: string;
}

const exceptionNames = [
  'insn_misaligned',
  'insn_access',
  'illegal',
  'breakpoint',
  'load_misaligned',
  'load_access',
  'store_misaligned',
  'store_access',
  'ecall_u',
  'ecall_s',
  'reserved10',
  'ecall_m',
  'insn_page',
  'load_page',
  'reserved14',
  'store_page',
];
const interruptNames = [
  'reserved0',
  's_software',
  'reserved2',
  'm_software',
  'reserved4',
  's_timer',
  'reserved6',
  'm_timer',
  'reserved8',
  's_external',
  'reserved10',
  'm_external',
  'reserved12',
  'reserved13',
  'reserved14',
  'reserved15',
];

/** Counter slots, in order; a slot is one u64, written by the daemon with relaxed atomic stores. */
export const counters: Counter[] = [
  { name: 'instret', unit: 'count', doc: 'instructions retired' },
  { name: 'idle_ns', unit: 'ns', doc: 'guest time skipped by WFI' },
  { name: 'interp_insns', unit: 'count', doc: 'instructions retired by the interpreter' },
  { name: 'jit_insns', unit: 'count', doc: 'instructions retired by translated code' },
  { name: 'host_run_ns', unit: 'ns', doc: 'host time spent running the hart' },
  { name: 'host_wait_ns', unit: 'ns', doc: 'host time the hart waited for block I/O' },
  { name: 'wfi', unit: 'count', doc: 'WFI instructions that jumped time' },
  { name: 'blocks_decoded', unit: 'count', doc: 'blocks decoded by the interpreter' },
  { name: 'blocks_invalidated', unit: 'count', doc: 'pages of decoded blocks dropped because of a store or fence.i' },
  { name: 'tlb_fill_read', unit: 'count', doc: 'software TLB fills for loads' },
  { name: 'tlb_fill_write', unit: 'count', doc: 'software TLB fills for stores' },
  { name: 'tlb_fill_fetch', unit: 'count', doc: 'software TLB fills for fetches' },
  { name: 'tlb_flush', unit: 'count', doc: 'whole software TLB flushes' },
  { name: 'tlb_flush_page', unit: 'count', doc: 'single page or ASID flushes' },
  { name: 'mmio_reads', unit: 'count', doc: 'device register reads' },
  { name: 'mmio_writes', unit: 'count', doc: 'device register writes' },
  { name: 'console_bytes', unit: 'bytes', doc: 'bytes the guest wrote to its consoles' },
  { name: 'console_input_bytes', unit: 'bytes', doc: 'bytes given to the guest as console input' },
  { name: 'console_lost_input_bytes', unit: 'bytes', doc: 'input bytes dropped because the guest did not read' },
  { name: 'blk_reads', unit: 'count', doc: 'block read requests' },
  { name: 'blk_read_bytes', unit: 'bytes', doc: 'bytes read from the disk' },
  { name: 'blk_writes', unit: 'count', doc: 'block write requests' },
  { name: 'blk_write_bytes', unit: 'bytes', doc: 'bytes written to the disk' },
  { name: 'blk_flushes', unit: 'count', doc: 'block flush requests' },
  { name: 'blk_errors', unit: 'count', doc: 'block requests answered with an error' },
  { name: 'virtio_kicks', unit: 'count', doc: 'virtio queue notifications' },
  { name: 'virtio_bad_chains', unit: 'count', doc: 'virtio descriptor chains refused as malformed' },
  { name: 'store_line_hits', unit: 'count', doc: '64 KB lines served from the daemon cache' },
  { name: 'store_line_misses', unit: 'count', doc: '64 KB lines read from PostgreSQL' },
  { name: 'store_commits', unit: 'count', doc: 'committed flush transactions' },
  { name: 'store_commit_ns', unit: 'ns', doc: 'host time spent in flush transactions' },
  { name: 'store_reconnects', unit: 'count', doc: 'reconnections to PostgreSQL' },
  { name: 'faults_resolved', unit: 'count', doc: 'faults whose retried access reached a physical page' },
  { name: 'inputs_logged', unit: 'count', doc: 'records appended to the input log' },
  { name: 'views_opened', unit: 'count', doc: 'consistent views opened' },
  { name: 'jit_compiles', unit: 'count', doc: 'regions of code translated' },
  { name: 'jit_evictions', unit: 'count', doc: 'translated regions dropped to make room' },
  { name: 'jit_entries', unit: 'count', doc: 'changes from the interpreter to translated code' },
  ...jitExit.entries.map(({ name, doc }) => ({
    name: `jit_exit_${name}`,
    unit: 'count' as const,
    doc: `changes from translated code to the interpreter: ${doc}`,
  })),
  { name: 'jit_op_calls', unit: 'count', doc: 'calls of the interpreter for one instruction in translated code' },
  { name: 'jit_refills', unit: 'count', doc: 'accesses in translated code that asked the second level of the TLB' },
  { name: 'jit_lookups', unit: 'count', doc: 'jumps by address in translated code that were not remembered' },
  { name: 'jit_drops', unit: 'count', doc: 'pages whose translated code was dropped because its bytes were written' },
  { name: 'views_lost', unit: 'count', doc: 'views ended early: pre-image pool full, time-out or reset' },
  { name: 'view_open_ns', unit: 'ns', doc: 'host time the hart stood still to open views' },
  { name: 'preimages', unit: 'count', doc: 'pages saved for open views before they were written' },
  {
    name: 'ram_loading_bytes',
    unit: 'bytes',
    doc: 'memory not loaded yet from the checkpoint the machine goes on from',
  },
  { name: 'net_received_frames', unit: 'count', doc: 'Ethernet frames given to the guest' },
  { name: 'net_received_bytes', unit: 'bytes', doc: 'bytes of them' },
  { name: 'net_sent_frames', unit: 'count', doc: 'Ethernet frames the guest sent' },
  { name: 'net_sent_bytes', unit: 'bytes', doc: 'bytes of them' },
  {
    name: 'net_dropped_frames',
    unit: 'count',
    doc: 'frames of either direction dropped for their size or lack of room',
  },
  ...exceptionNames.map((name, code) => ({
    name: `exc_${code}_${name}`,
    unit: 'count' as const,
    doc: `exceptions with cause ${code}`,
  })),
  ...interruptNames.map((name, code) => ({
    name: `int_${code}_${name}`,
    unit: 'count' as const,
    doc: `interrupts with cause ${code}`,
  })),
];

/** Cause names after the privileged specification 20211203, table 3.6, with Store for Store/AMO. */
export const causeNames: Record<number, string> = {
  0: 'Instruction address misaligned',
  1: 'Instruction access fault',
  2: 'Illegal instruction',
  3: 'Breakpoint',
  4: 'Load address misaligned',
  5: 'Load access fault',
  6: 'Store address misaligned',
  7: 'Store access fault',
  8: 'Environment call from U-mode',
  9: 'Environment call from S-mode',
  11: 'Environment call from M-mode',
  12: 'Instruction page fault',
  13: 'Load page fault',
  15: 'Store page fault',
};
