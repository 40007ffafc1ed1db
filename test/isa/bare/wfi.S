/* WFI: falls through when an enabled interrupt is pending whatever MIE says; otherwise time jumps to the next event. */
#include "macros.h"

#define SSI 1
#define STI 5

test_main:
  li t0, MENVCFG_STCE
  csrw CSR_MENVCFG, t0
  li t0, -1
  csrw CSR_STIMECMP, t0
  csrw mideleg, x0

  number 1 /* pending and enabled, MIE clear: goes on */
  li t0, 1 << SSI
  csrw mie, t0
  csrs mip, t0
  wfi
  csrc mip, t0

  number 2 /* MIE clear: execution resumes behind WFI at the timer's instant, a million ticks on */
  li t0, 1 << STI
  csrw mie, t0
  csrr t0, time
  li t1, 1000000
  add t0, t0, t1
  csrw CSR_STIMECMP, t0
  csrr a0, minstret
  wfi
  csrr t1, time
  csrr a1, minstret
  expect_equal t0, t1
  sub a1, a1, a0
  expect a1, 3

  number 3 /* MIE set: the trap comes first, epc is behind WFI */
  csrr t0, time
  addi t0, t0, 2000
  csrw CSR_STIMECMP, t0
  la t6, 1f
  sd t6, LOG_RESUME(s10)
  csrsi mstatus, MSTATUS_MIE
  wfi
behind:
  j fail
1:
  csrci mstatus, MSTATUS_MIE
  expect_log_reg LOG_TIME, t0
  expect_log_label LOG_EPC, behind
  li t1, INTERRUPT | STI
  expect_log_reg LOG_CAUSE, t1

  number 4 /* from S-mode, delegated, SIE clear */
  li t1, 1 << STI
  csrw mideleg, t1
  li t1, 2
  csrw mcounteren, t1
  csrr t0, time
  addi t0, t0, 500
  csrw CSR_STIMECMP, t0
  run_in MODE_S, sleeper
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  expect_equal t0, t2
  j pass

sleeper:
  wfi
  csrr t2, time
  ecall
