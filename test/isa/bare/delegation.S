/* Delegated exceptions and interrupts, vectored tables, priorities, sret. Bare translation throughout. */
#include "macros.h"

#define SSI 1
#define STI 5
#define SEI 9

test_main:
  la t0, supervisor_trap
  csrw stvec, t0
  li t0, 1 << CAUSE_ECALL_U | 1 << CAUSE_ILLEGAL | 1 << CAUSE_BREAKPOINT
  csrw medeleg, t0
  csrr t1, medeleg
  expect_equal t0, t1

  number 1 /* an ecall from U-mode reaches S-mode: scause, sepc, stval, SPP, SPIE */
  csrw mcause, x0
  csrw scause, x0
  li t0, MSTATUS_SIE | MSTATUS_SPP
  csrs mstatus, t0
  run_in MODE_U, user_ecall
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  csrr t0, scause
  expect t0, CAUSE_ECALL_U
  csrr t0, sepc
  la t1, user_ecall
  expect_equal t0, t1
  csrr t0, stval
  expect t0, 0
  expect s2, MSTATUS_SPIE /* SIE, SPIE and SPP as the handler saw them */
  number 2 /* delegated from S-mode itself: SPP set */
  run_in MODE_S, supervisor_illegal
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  csrr t0, scause
  expect t0, CAUSE_ILLEGAL
  csrr t0, stval
  expect t0, 0xffffffff
  andi t0, s2, 0x7ff
  andi t0, t0, MSTATUS_SPP
  expect t0, MSTATUS_SPP
  number 3 /* delegation does not concern traps from M-mode */
  expect_trap CAUSE_ILLEGAL, .4byte 0xffffffff
  number 4 /* sret returns to U-mode with SPIE moved to SIE */
  run_in MODE_S, sret_to_user
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  csrr t0, scause
  expect t0, CAUSE_ECALL_U
  csrr t0, sepc
  la t1, user_ecall
  expect_equal t0, t1
  andi t0, s2, MSTATUS_SPIE
  expect t0, MSTATUS_SPIE

  number 10 /* only supervisor interrupts can be delegated */
  li t0, -1
  csrw mideleg, t0
  csrr t0, mideleg
  andi t0, t0, 1 << 3 | 1 << 7
  expect t0, 0
  number 11 /* a delegated interrupt is not taken in M-mode, whatever MIE says */
  csrsi mip, 1 << SSI
  li t0, 1 << SSI | 1 << SEI
  csrw mie, t0
  csrsi mstatus, MSTATUS_MIE
  nop
  csrci mstatus, MSTATUS_MIE
  number 12 /* in U-mode at once, even with SIE clear; vectored to base + 4 × cause */
  la t0, vectors + 1
  csrw stvec, t0
  csrci mstatus, MSTATUS_SIE
  li s3, 0
  run_in MODE_U, user_ecall
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  expect s3, SSI
  csrr t0, scause
  li t1, INTERRUPT | SSI
  expect_equal t0, t1
  csrr t0, sepc
  la t1, user_ecall
  expect_equal t0, t1
  number 13 /* in S-mode only with SIE */
  csrsi mip, 1 << SSI
  li s3, 0
  run_in MODE_S, supervisor_ecall
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  expect s3, 0
  run_in MODE_S, enable_and_wait
  expect s3, SSI
  csrr t0, sepc
  la t1, after_enable
  expect_equal t0, t1
  number 14 /* exceptions go to the base of a vectored table */
  csrci mip, 1 << SSI
  li s3, 0
  run_in MODE_U, user_ecall
  csrr t0, scause
  expect t0, CAUSE_ECALL_U
  expect s3, 100
  number 15 /* external before software */
  li t0, 1 << SEI | 1 << SSI
  csrs mip, t0
  li s3, 0
  run_in MODE_U, user_ecall
  expect s3, SEI
  number 16 /* not delegated: M-mode takes it from below with any MIE; cause has the interrupt bit */
  csrw mideleg, x0
  li t0, 1 << SEI
  csrc mip, t0
  csrsi mip, 1 << SSI
  run_in MODE_S, supervisor_ecall
  li t1, INTERRUPT | SSI
  expect_log_reg LOG_CAUSE, t1
  expect_log_label LOG_EPC, supervisor_ecall
  number 17 /* and in M-mode itself with MIE set, vectored */
  la t0, machine_vectors + 1
  csrw mtvec, t0
  li s3, 0
  csrsi mstatus, MSTATUS_MIE
after_mie:
  nop
  expect s3, SSI
  la t1, after_mie
  expect_equal s4, t1
  number 18 /* sie and sip show the delegated bits alone */
  csrci mip, 1 << SSI
  la t0, machine_trap
  csrw mtvec, t0
  csrw mideleg, x0
  li t0, 1 << SSI | 1 << SEI
  csrw mie, t0
  csrr t0, sie
  expect t0, 0
  csrsi mideleg, 1 << SSI
  csrr t0, sie
  expect t0, 1 << SSI
  csrsi sip, 1 << SSI
  csrr t0, mip
  andi t0, t0, 1 << SSI
  expect t0, 1 << SSI
  j pass

user_ecall:
  ecall
supervisor_illegal:
  .4byte 0xffffffff
supervisor_ecall:
  ecall
enable_and_wait:
  csrsi sstatus, MSTATUS_SIE
after_enable:
  nop
  ecall
sret_to_user:
  la t0, user_ecall
  csrw sepc, t0
  csrsi sstatus, MSTATUS_SIE
  li t0, MSTATUS_SPP
  csrc sstatus, t0
  li t0, MSTATUS_SPIE
  csrs sstatus, t0
  csrci sstatus, MSTATUS_SIE
  sret

  .balign 4
supervisor_trap:
  csrr s2, sstatus
  andi s2, s2, MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP
  ecall

  .balign 256
vectors:
  j 1f
  j 2f
  .rept 7
  j fail
  .endr
  j 3f
1:
  li s3, 100
  ecall
2:
  li s3, SSI
  csrci sip, 1 << SSI
  ecall
3:
  li s3, SEI
  ecall

  .balign 256
machine_vectors:
  j fail
  j 1f
1:
  li s3, SSI
  csrr s4, mepc
  csrci mip, 1 << SSI
  mret
