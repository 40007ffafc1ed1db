/* Misaligned accesses: done by the hart, also across pages; a fault in the second page names it and leaves no trace. */
#include "macros.h"
#include "paging.h"

#define FIRST 0x3000
#define INDEX 3

test_main:
  enable_sv39
  map_page INDEX, page_a, PTE_KERNEL
  map_page INDEX + 1, page_b, PTE_KERNEL
  li s2, FIRST + 0xff8
  li s3, 1 /* distance into the 8 bytes before the boundary */

  number 1 /* stores of all widths at every distance, read back in bytes through physical addresses */
1:
  la t0, page_a
  la t1, page_b
  li t2, 0xff8
  add t0, t0, t2
  sd x0, 0(t0)
  sd x0, 0(t1)
  li s4, 0x8877665544332211
  add s5, s2, s3
  as_mode MODE_S, sd s4, 0(s5)
  ld t3, 0(t0)
  ld t4, 0(t1)
  slli a0, s3, 3
  sll a1, s4, a0
  expect_equal t3, a1
  li a2, 64
  sub a2, a2, a0
  srl a1, s4, a2
  expect_equal t4, a1
  as_mode MODE_S, ld a3, 0(s5)
  expect_equal a3, s4
  as_mode MODE_S, sw x0, 0(s5)
  as_mode MODE_S, lwu a3, 0(s5)
  expect a3, 0
  as_mode MODE_S, lw a3, 4(s5)
  li a4, 0xffffffff88776655
  expect_equal a3, a4
  addi s3, s3, 1
  li t0, 8
  bltu s3, t0, 1b

  number 2 /* second page missing: tval is its first byte, nothing is stored, rd keeps its value */
  la t6, leaf
  sd x0, (INDEX + 1) * 8(t6)
  sfence.vma
  la t0, page_a
  li t2, 0xff8
  add t0, t0, t2
  li t3, 0x0123456789abcdef
  sd t3, 0(t0)
  li s5, FIRST + 0xffd
  li s6, FIRST + 0x1000
  expect_trap_as MODE_S, CAUSE_STORE_PAGE, sd x0, 0(s5)
  expect_log_reg LOG_TVAL, s6
  ld t4, 0(t0)
  expect_equal t3, t4
  li a0, 55
  expect_trap_as MODE_S, CAUSE_LOAD_PAGE, ld a0, 0(s5)
  expect_log_reg LOG_TVAL, s6
  expect a0, 55
  number 3 /* second page readable only */
  map_page INDEX + 1, page_b, PTE_V | PTE_R | PTE_A
  la t0, page_a
  li t2, 0xff8
  add t0, t0, t2
  expect_trap_as MODE_S, CAUSE_STORE_PAGE, sw x0, 2(s5)
  expect_log_reg LOG_TVAL, s6
  ld t4, 0(t0)
  expect_equal t3, t4
  number 4 /* first page missing: tval is the address itself */
  map_page INDEX + 1, page_b, PTE_KERNEL
  la t6, leaf
  sd x0, INDEX * 8(t6)
  sfence.vma
  expect_trap_as MODE_S, CAUSE_LOAD_PAGE, ld a0, 0(s5)
  expect_log_reg LOG_TVAL, s5
  expect_trap_as MODE_S, CAUSE_STORE_PAGE, sd a0, 0(s5)
  expect_log_reg LOG_TVAL, s5
  number 5 /* an instruction across pages: the fault names the second page, epc the instruction */
  map_page INDEX, page_a, PTE_KERNEL
  la t0, page_a
  li t2, 0xffe
  add t0, t0, t2
  li t3, 0x0073 /* ecall, lower half */
  sh t3, 0(t0)
  la t1, page_b
  sh x0, 0(t1)
  fence.i
  run_at MODE_S, FIRST + 0xffe
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  map_page INDEX + 1, page_b, PTE_V | PTE_R | PTE_A
  run_at MODE_S, FIRST + 0xffe
  expect_log LOG_CAUSE, CAUSE_FETCH_PAGE
  expect_log_reg LOG_TVAL, s6
  expect_log LOG_EPC, FIRST + 0xffe
  number 6 /* a compressed one in the last two bytes does not look at the next page */
  li t3, 0x9002 /* c.ebreak */
  la t0, page_a
  li t2, 0xffe
  add t0, t0, t2
  sh t3, 0(t0)
  fence.i
  run_at MODE_S, FIRST + 0xffe
  expect_log LOG_CAUSE, CAUSE_BREAKPOINT
  expect_log LOG_TVAL, FIRST + 0xffe
  j pass
