/* minstret and mcycle: exact, writable, inhibited; a trap and the instruction that caused it. */
#include "macros.h"

test_main:
  number 1 /* one apart */
  csrr t0, minstret
  csrr t1, minstret
  sub t1, t1, t0
  expect t1, 1
  number 2 /* over a taken branch, a load, a division and a jump */
  csrr t0, minstret
  beqz x0, 1f
  j fail
1:
  ld t2, 0(s10)
  div t2, t0, t0
  j 2f
  nop
2:
  csrr t1, minstret
  sub t1, t1, t0
  expect t1, 5
  number 3 /* compressed instructions count one each */
  .option push
  .option rvc
  csrr t0, minstret
  c.nop
  c.nop
  c.nop
  csrr t1, minstret
  .option pop
  .balign 4
  sub t1, t1, t0
  expect t1, 4
  number 4 /* a written value is what the next instruction reads */
  li t0, 1000000
  csrw minstret, t0
  csrr t1, minstret
  expect_equal t0, t1
  csrw mcycle, t0
  csrr t1, mcycle
  expect_equal t0, t1
  number 5 /* inhibited */
  csrsi mcountinhibit, 4
  csrr t0, minstret
  nop
  nop
  csrr t1, minstret
  expect_equal t0, t1
  csrci mcountinhibit, 4
  csrr t0, minstret
  nop
  csrr t1, minstret
  sub t1, t1, t0
  expect t1, 2
  number 6 /* an instruction that traps does not retire: handler entry sees the count before it */
  la t6, 3f
  sd t6, LOG_RESUME(s10)
  csrr t0, minstret
  .4byte 0xffffffff
3:
  ld t1, LOG_INSTRET(s10)
  sub t1, t1, t0
  expect t1, 1
  la t6, 4f
  sd t6, LOG_RESUME(s10)
  csrr t0, minstret
  ecall
4:
  ld t1, LOG_INSTRET(s10)
  sub t1, t1, t0
  expect t1, 1
  number 7 /* over a loop of 1000 turns */
  li t2, 1000
  csrr t0, minstret
5:
  addi t2, t2, -1
  bnez t2, 5b
  csrr t1, minstret
  sub t1, t1, t0
  expect t1, 2001
  number 8 /* the user views agree */
  rdinstret t0
  csrr t1, minstret
  sub t1, t1, t0
  expect t1, 1
  j pass
