/* Reservations: what the specification asks, and this hart's fixed rule where it leaves a choice. */
#include "macros.h"
#include "paging.h"

test_main:
  la s2, page_a
  la s3, page_b
  number 1 /* success stores and writes 0 */
  li t0, 5
  lr.d t1, (s2)
  sc.d t2, t0, (s2)
  expect t2, 0
  ld t1, 0(s2)
  expect t1, 5
  number 2 /* a second SC fails, leaves memory alone and writes 1 */
  li t0, 6
  sc.d t2, t0, (s2)
  expect t2, 1
  ld t1, 0(s2)
  expect t1, 5
  number 3 /* another address */
  lr.d t1, (s2)
  sc.d t2, t0, (s3)
  expect t2, 1
  number 4 /* and that SC has used the reservation up */
  sc.d t2, t0, (s2)
  expect t2, 1
  number 5 /* the later LR counts */
  lr.w t1, (s2)
  lr.w t1, (s3)
  sc.w t2, t0, (s2)
  expect t2, 1
  lr.w t1, (s2)
  lr.w t1, (s3)
  sc.w t2, t0, (s3)
  expect t2, 0
  number 6 /* the fixed rule: loads and stores of this hart, even there, break nothing */
  lr.w t1, (s2)
  ld t3, 0(s2)
  sd t3, 0(s2)
  sd t3, 64(s2)
  sc.w t2, t0, (s2)
  expect t2, 0
  number 7 /* the fixed rule: a trap breaks it */
  lr.w t1, (s2)
  expect_trap CAUSE_ECALL_M, ecall
  sc.w t2, t0, (s2)
  expect t2, 1
  number 8 /* a retry loop ends although the timer strikes inside it */
  li t1, MENVCFG_STCE
  csrw CSR_MENVCFG, t1
  la t1, interrupt
  csrw mtvec, t1
  csrr t1, time
  csrw CSR_STIMECMP, t1
  li t1, 1 << 5
  csrw mie, t1
  sd x0, 0(s2)
  li s4, 1000
  li s5, 0
  csrsi mstatus, MSTATUS_MIE
1:
  lr.d t1, (s2)
  addi t1, t1, 1
  sc.d t2, t1, (s2)
  bnez t2, 1b
  addi s4, s4, -1
  bnez s4, 1b
  csrci mstatus, MSTATUS_MIE
  la t1, machine_trap
  csrw mtvec, t1
  ld t1, 0(s2)
  expect t1, 1000
  sltiu t1, s5, 10
  expect t1, 0
  number 9 /* an SC that may not store faults as a store; the fault of an LR is a load's */
  enable_sv39
  map_page 3, page_a, PTE_V | PTE_R | PTE_A
  li s4, 0x3000
  as_mode MODE_S, lr.w t1, (s4)
  expect_trap_as MODE_S, CAUSE_STORE_PAGE, sc.w t2, t0, (s4)
  expect_log_reg LOG_TVAL, s4
  map_page 3, page_a, PTE_V | PTE_X | PTE_A
  expect_trap_as MODE_S, CAUSE_LOAD_PAGE, lr.w t2, (s4)
  number 10 /* an AMO on a page that may only be read is a store's fault, and leaves rd */
  map_page 3, page_a, PTE_V | PTE_R | PTE_A
  li a0, 99
  expect_trap_as MODE_S, CAUSE_STORE_PAGE, amoadd.w a0, a0, (s4)
  expect a0, 99
  j pass

  .balign 4
interrupt:
  csrr t6, time
  addi t6, t6, 1
  csrw CSR_STIMECMP, t6
  addi s5, s5, 1
  mret
