/* Sstc: the interrupt comes at the very instruction where time reaches stimecmp, and time is a function of instret. */
#include "macros.h"

#define STI 5
#define TICK 100 /* instructions per tick of time */

test_main:
  li t0, MENVCFG_STCE
  csrw CSR_MENVCFG, t0
  li t0, -1
  csrw CSR_STIMECMP, t0
  csrw mideleg, x0
  li t0, 1 << STI
  csrw mie, t0

  number 1 /* STIP is not writable and follows the comparison */
  csrr t1, mip
  and t1, t1, t0
  expect t1, 0
  csrw CSR_STIMECMP, x0
  csrr t1, mip
  and t1, t1, t0
  expect t1, 1 << STI
  csrc mip, t0
  csrr t1, mip
  and t1, t1, t0
  expect t1, 1 << STI
  li t1, -1
  csrw CSR_STIMECMP, t1
  csrr t1, mip
  and t1, t1, t0
  expect t1, 0

  number 2 /* spin of two instructions */
  la a0, spin_short
  call timed
  number 3 /* a long straight loop, at every phase within a tick */
  li s5, 120
1:
  la a0, spin_long
  call timed
  addi s5, s5, -1
  .rept 3
  nop
  .endr
  bnez s5, 1b

  number 4 /* time advances by one for every 100 retired instructions */
  csrr a0, minstret
  csrr a1, time
  li t0, 12345
2:
  addi t0, t0, -1
  bnez t0, 2b
  csrr a2, minstret
  csrr a3, time
  sub a2, a2, a0
  li t0, TICK
  divu a4, a2, t0
  sub a3, a3, a1
  sub a3, a3, a4
  sltiu t0, a3, 2
  expect t0, 1

  number 5 /* without STCE nothing comes */
  csrw CSR_MENVCFG, x0
  csrr t1, mip
  li t0, 1 << STI
  and t1, t1, t0
  expect t1, 0
  j pass

/* Arms the timer 7 ticks ahead, jumps to a0 and looks at the instant of the trap. */
timed:
  la t6, 1f
  sd t6, LOG_RESUME(s10)
  csrr t0, time
  addi t0, t0, 7
  csrw CSR_STIMECMP, t0
  csrsi mstatus, MSTATUS_MIE
  jr a0
1:
  csrci mstatus, MSTATUS_MIE
  li t1, -1
  csrw CSR_STIMECMP, t1
  li t1, INTERRUPT | STI
  expect_log_reg LOG_CAUSE, t1
  expect_log LOG_TVAL, 0
  expect_log_reg LOG_TIME, t0
  /* The handler's first instruction reads minstret in the first instruction of the tick. */
  ld t1, LOG_INSTRET(s10)
  li t2, TICK
  remu t1, t1, t2
  la t3, phase
  ld t4, 0(t3)
  bgez t4, 2f
  sd t1, 0(t3)
  mv t4, t1
2:
  expect_equal t1, t4
  ret

spin_short:
  addi a1, a1, 1
  j spin_short

spin_long:
  .rept 40
  addi a1, a1, 1
  xor a2, a2, a1
  .endr
  j spin_long

  .section .data
  .balign 8
phase:
  .dword -1
