/* Every combination of V, R, W, X, U × mode × SUM, MXR × load, store, fetch gives the access or the page fault due. */
#include "macros.h"
#include "paging.h"

#define VIRTUAL 0x5000

test_main:
  enable_sv39
  la t0, page_a
  li t1, 0x00000073 /* ecall */
  sw t1, 0(t0)
  fence.i
  li s2, 0 /* V R W X U: PTE bits 4:0 */
each_pte:
  make_pte t5, page_a, PTE_A | PTE_D
  or t5, t5, s2
  store_pte leaf, VIRTUAL >> 12, t5
  li s3, 0 /* bit 0: mode S; bit 1: SUM; bit 2: MXR */
each_state:
  li t0, MSTATUS_SUM | MSTATUS_MXR
  csrc mstatus, t0
  srli t0, s3, 1
  slli t0, t0, 18
  csrs mstatus, t0
  slli s11, s2, 3 /* number = PTE bits × 8 + state */
  or s11, s11, s3
  call permissions
  call check_load
  call check_store
  call check_fetch
  addi s3, s3, 1
  li t0, 8
  bltu s3, t0, each_state
  addi s2, s2, 1
  li t0, 32
  bltu s2, t0, each_pte
  j pass

/* s4, s5, s6 = may load, store, fetch: the rules of "Virtual Address Translation Process", steps 3 to 8. */
permissions:
  andi t0, s2, PTE_V
  andi t1, s2, PTE_R
  snez t1, t1
  andi t2, s2, PTE_W
  snez t2, t2
  andi t3, s2, PTE_X
  snez t3, t3
  andi t4, s2, PTE_U
  snez t4, t4
  xori a0, t1, 1 /* writable but not readable is reserved */
  and a0, a0, t2
  xori a0, a0, 1
  and t0, t0, a0
  andi a1, s3, 1 /* S */
  srli a2, s3, 1
  andi a2, a2, 1 /* SUM */
  srli a3, s3, 2 /* MXR */
  xor a4, a1, t4 /* fetch: S and not U, or U and U */
  and s6, t0, a4
  and s6, s6, t3
  and a2, a2, a1
  or a4, a4, a2
  and t0, t0, a4 /* data access to this page at all */
  and a3, a3, t3
  or a3, a3, t1
  and s4, t0, a3
  and s5, t0, t2
  ret

.macro go_as_state
  andi t0, s3, 1
  slli t0, t0, 11
  li t1, MSTATUS_MPP
  csrc mstatus, t1
  csrs mstatus, t0
.endm

/* \allowed says whether \insn may pass; its page fault is \cause at address t2. */
.macro check_access allowed, cause, insn:vararg
  sd x0, LOG_CAUSE(s10)
  sd x0, LOG_TVAL(s10)
  go_as_state
  li t2, VIRTUAL + 8
  la t6, 79f
  sd t6, LOG_RESUME(s10)
  li t6, MSTATUS_MPRV
  csrs mstatus, t6
  \insn
79:
  li t6, MSTATUS_MPRV
  csrc mstatus, t6
  sd x0, LOG_RESUME(s10)
  ld t0, LOG_CAUSE(s10)
  ld t1, LOG_TVAL(s10)
  bnez \allowed, 78f
  expect t0, \cause
  expect_equal t1, t2
  ret
78:
  expect t0, 0
  ret
.endm

check_load:
  check_access s4, CAUSE_LOAD_PAGE, ld t3, 0(t2)
check_store:
  check_access s5, CAUSE_STORE_PAGE, sd x0, 0(t2)

check_fetch:
  go_as_state
  la t6, 1f
  sd t6, LOG_RESUME(s10)
  li t0, VIRTUAL
  csrw mepc, t0
  mret
1:
  ld t1, LOG_CAUSE(s10)
  beqz s6, 2f
  andi t0, s3, 1
  addi t0, t0, CAUSE_ECALL_U
  expect_equal t0, t1
  ret
2:
  expect t1, CAUSE_FETCH_PAGE
  expect_log_reg LOG_TVAL, t0
  expect_log_reg LOG_EPC, t0
  ret
