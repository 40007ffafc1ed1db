/* Accessed and dirty bits with and without hardware update, sfence.vma, address spaces, satp. */
#include "macros.h"
#include "paging.h"

#define PAGE 0x3000
#define INDEX 3

.macro expect_pte index, flags
  la t5, leaf
  ld t5, (\index) * 8(t5)
  andi t5, t5, 0xff
  expect t5, \flags
.endm

test_main:
  enable_sv39
  li s2, PAGE
  li t0, MENVCFG_ADUE
  csrs CSR_MENVCFG, t0
  csrr t1, CSR_MENVCFG
  and t1, t1, t0
  expect_equal t0, t1

  number 1 /* a load sets A and leaves D */
  map_page INDEX, page_a, PTE_V | PTE_R | PTE_W
  as_mode MODE_S, ld t0, 0(s2)
  expect_pte INDEX, PTE_V | PTE_R | PTE_W | PTE_A
  number 2 /* a store after it sets D, though the translation is cached */
  as_mode MODE_S, sd x0, 0(s2)
  expect_pte INDEX, PTE_V | PTE_R | PTE_W | PTE_A | PTE_D
  number 3 /* a store at once sets both */
  map_page INDEX, page_a, PTE_V | PTE_R | PTE_W | PTE_U
  as_mode MODE_U, sb x0, 0(s2)
  expect_pte INDEX, PTE_V | PTE_R | PTE_W | PTE_U | PTE_A | PTE_D
  number 4 /* an AMO and a successful SC set D, a failing SC need not but a store-conditional's fault stays a store's */
  map_page INDEX, page_a, PTE_V | PTE_R | PTE_W
  as_mode MODE_S, amoadd.w t0, x0, (s2)
  expect_pte INDEX, PTE_V | PTE_R | PTE_W | PTE_A | PTE_D
  number 5 /* what is not allowed sets nothing */
  map_page INDEX, page_a, PTE_V | PTE_R
  expect_trap_as MODE_S, CAUSE_STORE_PAGE, sd x0, 0(s2)
  expect_pte INDEX, PTE_V | PTE_R
  number 6 /* a fetch sets A */
  la t0, page_a
  li t1, 0x00000073
  sw t1, 0(t0)
  fence.i
  map_page INDEX, page_a, PTE_V | PTE_X
  run_at MODE_S, PAGE
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  expect_pte INDEX, PTE_V | PTE_X | PTE_A

  number 10 /* without hardware update: page faults, and the PTE is left alone */
  li t0, MENVCFG_ADUE
  csrc CSR_MENVCFG, t0
  map_page INDEX, page_a, PTE_V | PTE_R | PTE_W
  expect_trap_as MODE_S, CAUSE_LOAD_PAGE, ld t0, 0(s2)
  expect_trap_as MODE_S, CAUSE_STORE_PAGE, sd x0, 0(s2)
  expect_pte INDEX, PTE_V | PTE_R | PTE_W
  map_page INDEX, page_a, PTE_V | PTE_R | PTE_W | PTE_A
  as_mode MODE_S, ld t0, 0(s2)
  expect_trap_as MODE_S, CAUSE_STORE_PAGE, sd x0, 0(s2)
  expect_pte INDEX, PTE_V | PTE_R | PTE_W | PTE_A
  map_page INDEX, page_a, PTE_V | PTE_X
  run_at MODE_S, PAGE
  expect_log LOG_CAUSE, CAUSE_FETCH_PAGE

  number 20 /* sfence.vma for one address, for all */
  li t0, MENVCFG_ADUE
  csrs CSR_MENVCFG, t0
  la t0, page_a
  li t1, 0xa
  sd t1, 0(t0)
  la t0, page_b
  li t1, 0xb
  sd t1, 0(t0)
  map_page INDEX, page_a, PTE_KERNEL
  as_mode MODE_S, ld t0, 0(s2)
  expect t0, 0xa
  make_pte t5, page_b, PTE_KERNEL
  la t6, leaf
  sd t5, INDEX * 8(t6)
  sfence.vma s2, x0
  as_mode MODE_S, ld t0, 0(s2)
  expect t0, 0xb
  la t6, leaf
  sd x0, INDEX * 8(t6)
  sfence.vma
  expect_trap_as MODE_S, CAUSE_LOAD_PAGE, ld t0, 0(s2)
  number 21 /* a PTE made valid needs a fence as well; then it is seen */
  map_page INDEX, page_a, PTE_KERNEL
  as_mode MODE_S, ld t0, 0(s2)
  expect t0, 0xa
  number 22 /* two address spaces with their own tables, switched without a fence */
  make_pte t5, middle_2, PTE_V
  store_pte root_2, 0, t5
  make_pte t5, leaf_2, PTE_V
  store_pte middle_2, 0, t5
  make_pte t5, page_b, PTE_KERNEL
  store_pte leaf_2, INDEX, t5
  csrr s3, satp
  la s4, root_2
  srli s4, s4, 12
  li t0, 8 << 60 | 1 << 44
  or s4, s4, t0
  li s5, 10
1:
  csrw satp, s4
  as_mode MODE_S, ld t0, 0(s2)
  expect t0, 0xb
  csrw satp, s3
  as_mode MODE_S, ld t0, 0(s2)
  expect t0, 0xa
  addi s5, s5, -1
  bnez s5, 1b
  number 23 /* 16 bits of ASID; modes that do not exist leave satp as it was */
  li t0, 8 << 60 | 0xffff << 44
  csrw satp, t0
  csrr t1, satp
  expect_equal t0, t1
  li t1, 10 << 60 | 5
  csrw satp, t1
  csrr t1, satp
  expect_equal t0, t1
  li t1, 5 << 60
  csrw satp, t1
  csrr t1, satp
  expect_equal t0, t1
  number 24 /* Bare: no translation, also for S-mode */
  csrw satp, x0
  la t0, page_b
  as_mode MODE_S, ld t1, 0(t0)
  expect t1, 0xb
  csrw satp, s3
  number 25 /* MPRV with MPP = M changes nothing */
  la t0, page_b
  as_mode MODE_M, ld t1, 0(t0)
  expect t1, 0xb
  j pass

  .section .data
  .balign 4096
root_2:
  .zero 4096
middle_2:
  .zero 4096
leaf_2:
  .zero 4096
