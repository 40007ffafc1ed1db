/* Superpages, canonical addresses, reserved PTE bits, Svnapot, Svpbmt, Sv48, walks through missing memory. */
#include "macros.h"
#include "paging.h"

#define PAGE  0x3000
#define INDEX 3
#define MEGA  0x200000
#define GIGA  0x80000000
#define PTE_N (1 << 63)

.macro expect_load_fault
  expect_trap_as MODE_S, CAUSE_LOAD_PAGE, ld t0, 0(s2)
  expect_log_reg LOG_TVAL, s2
.endm

test_main:
  enable_sv39
  la s3, page_a
  li t0, 0xa
  sd t0, 0(s3)
  li s2, PAGE

  number 1 /* a 2 MiB page: physical 0x80000000 at virtual 0x200000 */
  li t5, 0x80000000 >> 2 | PTE_KERNEL
  store_pte middle, 1, t5
  la t0, page_a
  li t1, 0x80000000 - MEGA
  sub t0, t0, t1
  as_mode MODE_S, ld t1, 0(t0)
  expect t1, 0xa
  number 2 /* misaligned: any low PPN bit set */
  li t5, 0x80001000 >> 2 | PTE_KERNEL
  store_pte middle, 1, t5
  mv s2, t0
  expect_load_fault
  number 3 /* a 1 GiB page at its own address, and a misaligned one */
  li t5, 0x80000000 >> 2 | PTE_KERNEL
  store_pte root, 2, t5
  la t0, page_a
  as_mode MODE_S, ld t1, 0(t0)
  expect t1, 0xa
  li t5, 0x80200000 >> 2 | PTE_KERNEL
  store_pte root, 2, t5
  la s2, page_a
  expect_load_fault

  number 4 /* bits 63:39 must equal bit 38 */
  li s2, 1 << 38
  expect_load_fault
  li s2, 1 << 39 | PAGE
  expect_load_fault
  li s2, 1 << 63 | PAGE
  expect_load_fault
  number 5 /* the upper half is the second half of the root */
  li t5, 0x80000000 >> 2 | PTE_KERNEL
  store_pte root, 510, t5
  la t0, page_a
  li t1, 0xffffffff00000000
  or t0, t0, t1
  as_mode MODE_S, ld t1, 0(t0)
  expect t1, 0xa

  li s2, PAGE
  number 6 /* reserved bits 60:54 */
  make_pte t5, page_a, PTE_KERNEL | 1 << 54
  store_pte leaf, INDEX, t5
  expect_load_fault
  make_pte t5, page_a, PTE_KERNEL | 1 << 60
  store_pte leaf, INDEX, t5
  expect_load_fault
  number 7 /* A, D and U are reserved in a pointer */
  map_page INDEX, page_a, PTE_KERNEL
  make_pte t5, leaf, PTE_V | PTE_A
  store_pte middle, 0, t5
  expect_load_fault
  make_pte t5, leaf, PTE_V | PTE_U
  store_pte middle, 0, t5
  expect_load_fault
  make_pte t5, leaf, PTE_V | PTE_D
  store_pte middle, 0, t5
  expect_load_fault
  make_pte t5, leaf, PTE_V
  store_pte middle, 0, t5
  as_mode MODE_S, ld t0, 0(s2)
  number 8 /* a pointer in the last level */
  map_page INDEX, page_a, PTE_V
  expect_load_fault

  number 9 /* Svpbmt: types 1 and 2 with PBMTE, nothing without it, never type 3 */
  li t0, MENVCFG_PBMTE
  csrs CSR_MENVCFG, t0
  make_pte t5, page_a, PTE_KERNEL | 1 << 61
  store_pte leaf, INDEX, t5
  as_mode MODE_S, ld t0, 0(s2)
  expect t0, 0xa
  make_pte t5, page_a, PTE_KERNEL | 2 << 61
  store_pte leaf, INDEX, t5
  as_mode MODE_S, ld t0, 0(s2)
  expect t0, 0xa
  make_pte t5, page_a, PTE_KERNEL | 3 << 61
  store_pte leaf, INDEX, t5
  expect_load_fault
  make_pte t5, page_a, PTE_KERNEL | 1 << 61
  store_pte leaf, INDEX, t5
  li t0, MENVCFG_PBMTE
  csrc CSR_MENVCFG, t0
  sfence.vma
  expect_load_fault

  number 10 /* Svnapot: 64 KiB, low PPN digit 8; sixteen PTEs describe one range */
  la t0, napot
  srli t0, t0, 2
  li t1, PTE_N | PTE_KERNEL | 8 << 10
  or t0, t0, t1
  la t1, leaf
  li t2, 16
1:
  sd t0, 32 * 8(t1)
  addi t1, t1, 8
  addi t2, t2, -1
  bnez t2, 1b
  sfence.vma
  la t0, napot
  li t1, 0x77
  sd t1, 0(t0)
  li t2, 0xf000 + 16
  add t0, t0, t2
  li t1, 0x88
  sd t1, 0(t0)
  li t0, 32 << 12
  as_mode MODE_S, ld t1, 0(t0)
  expect t1, 0x77
  li t0, 47 << 12 | 16
  as_mode MODE_S, ld t1, 0(t0)
  expect t1, 0x88
  number 11 /* other NAPOT sizes are reserved, and N in a pointer or a superpage */
  la t0, napot
  srli t0, t0, 2
  li t1, PTE_N | PTE_KERNEL | 4 << 10
  or t5, t0, t1
  store_pte leaf, INDEX, t5
  expect_load_fault
  make_pte t5, leaf, PTE_V | PTE_N
  store_pte middle, 0, t5
  expect_load_fault
  make_pte t5, leaf, PTE_V
  store_pte middle, 0, t5

  number 12 /* a table where no memory is: access faults of the access's own kind */
  li t5, 0x1000000000 >> 2 | PTE_V
  store_pte middle, 2, t5
  li s2, 2 * MEGA
  expect_trap_as MODE_S, CAUSE_LOAD_ACCESS, ld t0, 0(s2)
  expect_log_reg LOG_TVAL, s2
  expect_trap_as MODE_S, CAUSE_STORE_ACCESS, sd t0, 0(s2)
  run_at MODE_S, 2 * MEGA
  expect_log LOG_CAUSE, CAUSE_FETCH_ACCESS
  number 13 /* a page where no memory is: tval is the virtual address */
  li t5, 0x1000000000 >> 2 | PTE_KERNEL
  store_pte leaf, INDEX, t5
  li s2, PAGE + 8
  expect_trap_as MODE_S, CAUSE_LOAD_ACCESS, ld t0, 0(s2)
  expect_log_reg LOG_TVAL, s2

  number 20 /* Sv48: a fourth level, canonical from bit 47, a 512 GiB page */
  map_page INDEX, page_a, PTE_KERNEL
  make_pte t5, root, PTE_V
  store_pte root_48, 0, t5
  li t5, 0 | PTE_KERNEL
  store_pte root_48, 256, t5
  la t0, root_48
  srli t0, t0, 12
  li t1, 9 << 60
  or t0, t0, t1
  csrw satp, t0
  sfence.vma
  li s2, PAGE
  as_mode MODE_S, ld t0, 0(s2)
  expect t0, 0xa
  la t0, page_a
  li t1, 0xffff800000000000
  or t0, t0, t1
  as_mode MODE_S, ld t1, 0(t0)
  expect t1, 0xa
  li s2, 1 << 47
  expect_load_fault
  li s2, 1 << 39
  expect_load_fault
  j pass

  .section .data
  .balign 4096
root_48:
  .zero 4096
  .balign 65536
napot:
  .zero 65536
