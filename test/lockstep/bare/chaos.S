/*
 * What a chaos program stands on (test/lockstep/chaos.ts): random code that runs in M, S and U mode under random
 * permissions, rewrites itself, is interrupted all the time and is thrown back into itself by the handler below after
 * every exception. Nothing is expected of it but that all engines do the same.
 *
 * CODE is the image of the random code, SEED a non-zero number. Memory, identity-mapped with Sv39 for S and U:
 *   0x80000000 this runtime (PMP: locked, not writable)    0x80010000 random code, 16 pages
 *   0x80020000 random data, 16 pages                       0x80040000 page tables, state, tohost (S and U: not mapped)
 *   0x80050000 the random code as it was
 */
#define CODE_BASE  0x80010000
#define DATA_BASE  0x80020000
#define STATE      0x80040000
#define ROOT       0x80041000
#define MIDDLE     0x80042000
#define LEAVES     0x80043000
#define PRISTINE   0x80050000
#define AREA_PAGES 16
#define AREA_MASK  0xffff
#define CSR_MENVCFG  0x30a
#define CSR_SENVCFG  0x10a
#define CSR_STIMECMP 0x14d
#define PTE_ALL 0xff /* V R W X U G A D */
#define SATP    ((8 << 60) | (ROOT >> 12))

  .section .text.init, "ax"
  .option norvc
  .globl _start
_start:
  la t0, handler
  csrw mtvec, t0
  li t0, 0x80010000 >> 2 /* below it: no writes, M-mode included */
  csrw pmpaddr0, t0
  li t0, -1
  csrw pmpaddr1, t0
  li t0, 0x1f8d
  csrw pmpcfg0, t0
  li s0, STATE
  li t0, SEED
  sd t0, 0(s0)
  /* page tables: one gigapage slot, one table of 2 MB slots, 512 leaves from 0x80000000 on */
  li t0, ROOT
  li t1, (MIDDLE >> 12 << 10) | 1
  sd t1, 16(t0)
  li t0, MIDDLE
  li t1, (LEAVES >> 12 << 10) | 1
  sd t1, 0(t0)
  li t0, LEAVES + 8 * 16
  li t1, (CODE_BASE >> 12 << 10) | PTE_ALL
  li t2, 2 * AREA_PAGES
1:
  sd t1, 0(t0)
  addi t0, t0, 8
  addi t1, t1, 1 << 10
  addi t2, t2, -1
  bnez t2, 1b
  /* the second view: code and data again at 0x80100000, the leaf tables' entry 256 */
  li t0, LEAVES + 8 * 256
  li t1, (CODE_BASE >> 12 << 10) | PTE_ALL
  li t2, 2 * AREA_PAGES
2:
  sd t1, 0(t0)
  addi t0, t0, 8
  addi t1, t1, 1 << 10
  addi t2, t2, -1
  bnez t2, 2b
  li t0, CODE_BASE
  li t1, PRISTINE
  li t2, AREA_PAGES * 512
3:
  ld t3, 0(t0)
  sd t3, 0(t1)
  addi t0, t0, 8
  addi t1, t1, 8
  addi t2, t2, -1
  bnez t2, 3b
  li t0, CODE_BASE
  csrw mepc, t0
  j restore

/* x31 = next pseudo-random number; x30 is lost. */
.macro next
  li x30, STATE
  ld x31, 0(x30)
  slli x30, x31, 13
  xor x31, x31, x30
  srli x30, x31, 7
  xor x31, x31, x30
  slli x30, x31, 17
  xor x31, x31, x30
  li x30, STATE
  sd x31, 0(x30)
.endm

/* Jump to \label unless \bits bits of x31 from \from on are all zero; x30 is lost. */
.macro unless from, bits, label
  srli x30, x31, \from
  andi x30, x30, (1 << \bits) - 1
  bnez x30, \label
.endm

  .balign 4
handler:
  li x31, 1 << 17
  csrc mstatus, x31 /* MPRV */
  csrr x31, mcause
  bgez x31, exception
  next
  unless 0, 3, rearm
exception:
  csrr x29, mcause
  next
  unless 0, 2, after
somewhere:
  next
  li x30, AREA_MASK & -2
  and x30, x30, x31
  li x29, CODE_BASE
  add x29, x29, x30
  unless 50, 2, 1f
  li x30, 0x100000 - 0x10000 /* the second view */
  add x29, x29, x30
1:
  csrw mepc, x29
  j modes
/* Go on behind the instruction where that can be read, else somewhere. */
after:
  li x30, 12
  beq x29, x30, somewhere
  li x30, 1
  beq x29, x30, somewhere
  csrr x29, mepc
  li x30, CODE_BASE
  sub x30, x29, x30
  srli x30, x30, 16
  bnez x30, somewhere
  lhu x30, 0(x29)
  andi x30, x30, 3
  addi x30, x30, -3
  seqz x30, x30
  slli x30, x30, 1
  addi x30, x30, 2
  add x29, x29, x30
  csrw mepc, x29
modes:
  next
  unless 0, 3, pointers
  srli x30, x31, 8
  li x29, (3 << 11) | (1 << 17) | (1 << 18) | (1 << 19) | (1 << 7) | (1 << 5) | (1 << 1) | (1 << 8)
  and x30, x30, x29
  csrc mstatus, x29
  csrs mstatus, x30
pointers:
  unless 32, 1, tables
  li x29, DATA_BASE - CODE_BASE + 0x8000 /* both areas, and mostly inside */
  li x30, CODE_BASE
  slli x8, x31, 47
  srli x8, x8, 47
  add x8, x8, x30
  add x9, x30, x29
  xori x10, x9, 0x7f8
  li x30, DATA_BASE + 0xff0
  add x11, x30, x0
  slli x30, x31, 51
  srli x30, x30, 51
  andi x30, x30, -8
  add x12, x9, x30
  sub x13, x9, x30
  li x30, 0x100000 - 0x20000
  add x14, x12, x30
  li x30, CODE_BASE
  slli x15, x31, 49
  srli x15, x15, 48
  add x15, x15, x30
  mv x1, x15
  mv x5, x8
tables:
  unless 36, 5, lines
  next
  li x29, 0x1f
  srli x30, x31, 20
  and x30, x30, x29
  slli x30, x30, 3
  li x29, LEAVES + 8 * 16
  unless 60, 1, 1f
  li x29, LEAVES + 8 * 256
1:
  srli x30, x31, 20
  andi x30, x30, 0x1f
  slli x30, x30, 3
  add x29, x29, x30
  srli x30, x31, 30
  andi x30, x30, 0x1f
  slli x30, x30, 10
  srli x28, x31, 40
  andi x28, x28, 0xff
  or x30, x30, x28
  srli x28, x31, 48
  andi x28, x28, 0xdf
  or x30, x30, x28
  li x28, CODE_BASE >> 12 << 10
  add x30, x30, x28
  sd x30, 0(x29)
  unless 10, 1, lines
  sfence.vma
lines:
  next
  unless 0, 5, state
  li x29, AREA_MASK & -64
  srli x30, x31, 10
  and x29, x29, x30
  li x30, PRISTINE
  add x30, x30, x29
  li x28, CODE_BASE
  add x29, x29, x28
  .irp n, 0, 8, 16, 24, 32, 40, 48, 56
  ld x28, \n(x30)
  sd x28, \n(x29)
  .endr
  unless 40, 1, state
  fence.i
state:
  unless 44, 4, restore
  li x30, 0x202 /* not the timer: it must get through */
  and x30, x30, x31
  csrw mideleg, x30
  srli x30, x31, 20
  csrw mcounteren, x30
  csrw scounteren, x30
  csrw CSR_SENVCFG, x30
  srli x30, x31, 24
  li x29, 0xa0f8 /* neither fetch faults nor ecall from U nor illegal ones: they must reach the handler */
  and x30, x30, x29
  csrw medeleg, x30
  srli x30, x31, 3
  li x29, 1 << 61
  csrc CSR_MENVCFG, x29
  and x29, x29, x30
  csrs CSR_MENVCFG, x29
restore:
  li x30, (1 << 63) | (1 << 7) | (1 << 6) | (3 << 4)
  csrs CSR_MENVCFG, x30
  li x30, SATP
  csrr x29, satp
  beq x29, x30, 1f
  csrw satp, x30
1:
  la x30, handler_s
  csrw stvec, x30
  li x30, 0x222
  csrw mie, x30
  next
  unless 0, 3, 1f
  csrw mip, x31
1:
  li x30, (3 << 13) | (1 << 7)
  csrs mstatus, x30
  li x30, (1 << 20) | (1 << 21) | (1 << 22)
  csrc mstatus, x30
  next
  unless 3, 3, rearm
  csrw fcsr, x0
rearm:
  csrr x30, time
  srli x31, x31, 11
  andi x31, x31, 3
  addi x31, x31, 1
  add x31, x31, x30
  csrw CSR_STIMECMP, x31
  mret

  .balign 4
handler_s: /* not mapped for S: its fetch fault brings the machine-mode handler */
  ecall

  .section .tohost, "aw"
  .globl tohost
tohost:
  .dword 0

  .section .code, "awx"
  .incbin CODE
