/*
 * A timer interrupt at every instruction of a hot loop: the loop is entered at 256 phases of the clock's tick, and what
 * the handler sees (mepc, minstret) goes into a sum that must be the same whatever engine runs; the machine's final
 * state holds it. The loop has loads, stores, multiplications, branches both ways, calls and floating point.
 */
#include "../../isa/bare/macros.h"

test_main:
  number 1
  li t0, MENVCFG_STCE
  csrw CSR_MENVCFG, t0
  la t0, tick
  csrw mtvec, t0
  li t0, 1 << 5
  csrw mie, t0
  csrw mideleg, x0
  li t0, MSTATUS_FS
  csrs mstatus, t0
  fmv.d.x f1, x0
  li t0, 3
  fcvt.d.l f2, t0
  la s2, data_page
  li s6, 0 /* sum of what the handler saw */
  li s7, 0 /* interrupts */
  li s8, 256
phase:
  csrr t0, time
  addi t0, t0, 1
  csrw CSR_STIMECMP, t0
  csrsi mstatus, 8
  li s0, 60
1:
  addi a0, a0, 3
  sd a0, 0(s2)
  ld a1, 0(s2)
  add a1, a1, s0
  mul a2, a1, a0
  sw a2, 8(s2)
  lbu a3, 9(s2)
  andi t1, a3, 1
  beqz t1, 2f
  xor a4, a4, a2
  sub a4, a4, a3
2:
  jal ra, leaf
  fcvt.d.l f3, a3
  fdiv.d f3, f3, f2
  fadd.d f1, f1, f3
  divu a5, a2, a1
  amoadd.w a6, a5, (s2)
  addi s0, s0, -1
  bnez s0, 1b
  csrci mstatus, 8
  /* one instruction more in each phase than in the last */
  la t0, 3f
  slli t1, s8, 2
  sub t0, t0, t1
  jr t0
  .rept 256
  nop
  .endr
3:
  addi s8, s8, -1
  bnez s8, phase
  sltiu t0, s7, 512
  expect t0, 0
  fmv.x.d s9, f1
  la t0, machine_trap
  csrw mtvec, t0
  j pass

leaf:
  sltu a7, a4, a2
  add a7, a7, a6
  ret

  .balign 4
tick:
  csrr t5, mepc
  csrr t6, minstret
  slli s6, s6, 1
  add s6, s6, t5
  xor s6, s6, t6
  addi s7, s7, 1
  csrr t5, time
  addi t5, t5, 1
  csrw CSR_STIMECMP, t5
  mret

  .data
  .balign 64
data_page:
  .zero 64
