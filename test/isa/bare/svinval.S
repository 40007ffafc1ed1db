/* Svinval: the three instructions do together what sfence.vma does, and their privileges. */
#include "macros.h"
#include "paging.h"

#define SINVAL_VMA_S2  .4byte 0x16000073 | 18 << 15 /* sinval.vma s2, x0 */
#define SINVAL_VMA_ALL .4byte 0x16000073
#define SFENCE_W_INVAL .4byte 0x18000073
#define SFENCE_INVAL_IR .4byte 0x18100073

.macro invalidate operands:vararg
  SFENCE_W_INVAL
  \operands
  SFENCE_INVAL_IR
.endm

test_main:
  enable_sv39
  la t0, page_a
  li t1, 0xa
  sd t1, 0(t0)
  la t0, page_b
  li t1, 0xb
  sd t1, 0(t0)
  li s2, 0x3000
  map_page 3, page_a, PTE_KERNEL
  la s3, leaf
  make_pte s4, page_a, PTE_KERNEL
  make_pte s5, page_b, PTE_KERNEL

  number 1
  as_mode MODE_S, ld t0, 0(s2)
  expect t0, 0xa
  sd s5, 24(s3)
  invalidate SINVAL_VMA_S2
  as_mode MODE_S, ld t0, 0(s2)
  expect t0, 0xb
  number 2
  sd s4, 24(s3)
  invalidate SINVAL_VMA_ALL
  as_mode MODE_S, ld t0, 0(s2)
  expect t0, 0xa
  number 3
  sd x0, 24(s3)
  invalidate SINVAL_VMA_S2
  expect_trap_as MODE_S, CAUSE_LOAD_PAGE, ld t0, 0(s2)

  csrw satp, x0
  number 10 /* S-mode may, U-mode may not */
  run_in MODE_S, do_sinval
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  run_in MODE_U, do_sinval
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  expect_log LOG_TVAL, 0x16000073
  run_in MODE_U, do_w_inval
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  run_in MODE_U, do_inval_ir
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  number 11 /* TVM takes sinval.vma from S-mode, not the fences */
  li t0, MSTATUS_TVM
  csrs mstatus, t0
  run_in MODE_S, do_sinval
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  run_in MODE_S, do_w_inval
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  run_in MODE_S, do_inval_ir
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  j pass

do_sinval:
  SINVAL_VMA_ALL
  ecall
do_w_inval:
  SFENCE_W_INVAL
  ecall
do_inval_ir:
  SFENCE_INVAL_IR
  ecall
