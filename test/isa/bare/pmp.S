/* Physical memory protection: NA4, NAPOT, TOR, priorities, partial matches, fetches, walks, locks. */
#include "macros.h"
#include "paging.h"

#define PMP_R     1
#define PMP_W     2
#define PMP_X     4
#define PMP_TOR   0x08
#define PMP_NA4   0x10
#define PMP_NAPOT 0x18
#define PMP_LOCK  0x80
#define ALL       (PMP_R | PMP_W | PMP_X)

/* pmpcfg0 bytes 0 … 7 */
.macro set_config e0=0, e1=0, e2=0, e3=0
  li t6, (\e0) | (\e1) << 8 | (\e2) << 16 | (\e3) << 24
  csrw pmpcfg0, t6
  sfence.vma
.endm

.macro set_address n, label, offset=0
  la t6, \label
  li t5, \offset
  add t6, t6, t5
  srli t6, t6, 2
  csrw pmpaddr\n, t6
.endm

/* NAPOT of 2^bits bytes at \label, which is so aligned */
.macro set_napot n, label, bits
  la t6, \label
  srli t6, t6, 2
  li t5, (1 << (\bits - 3)) - 1
  or t6, t6, t5
  csrw pmpaddr\n, t6
.endm

.macro everything n
  li t6, -1
  csrw pmpaddr\n, t6
.endm

test_main:
  la s2, page_a
  csrw satp, x0

  number 1 /* no entry matches: S and U are refused, M is not */
  set_config 0
  as_mode MODE_M, ld t0, 0(s2)
  expect_trap_as MODE_S, CAUSE_LOAD_ACCESS, ld t0, 0(s2)
  expect_log_reg LOG_TVAL, s2
  expect_trap_as MODE_U, CAUSE_STORE_ACCESS, sd t0, 0(s2)
  run_in MODE_U, user_code
  expect_log LOG_CAUSE, CAUSE_FETCH_ACCESS
  expect_log_label LOG_TVAL, user_code

  number 2 /* NA4 without rights before everything: that word alone */
  set_address 0, page_a, 16
  everything 1
  set_config PMP_NA4, PMP_NAPOT | ALL
  as_mode MODE_S, lw t0, 12(s2)
  as_mode MODE_S, lw t0, 20(s2)
  expect_trap_as MODE_S, CAUSE_LOAD_ACCESS, lw t0, 16(s2)
  expect_trap_as MODE_S, CAUSE_STORE_ACCESS, sb t0, 19(s2)
  as_mode MODE_M, lw t0, 16(s2)
  number 3 /* an access that matches an entry in part fails, though that entry would allow it */
  set_config PMP_NA4 | ALL, PMP_NAPOT | ALL
  as_mode MODE_S, lw t0, 16(s2)
  expect_trap_as MODE_S, CAUSE_LOAD_ACCESS, ld t0, 16(s2)
  number 4 /* each right by itself */
  set_napot 0, page_a, 12
  set_config PMP_NAPOT | PMP_R, PMP_NAPOT | ALL
  as_mode MODE_S, ld t0, 0(s2)
  expect_trap_as MODE_S, CAUSE_STORE_ACCESS, sd t0, 0(s2)
  expect_trap_as MODE_S, CAUSE_STORE_ACCESS, amoadd.d t0, x0, (s2)
  set_config PMP_NAPOT | PMP_X, PMP_NAPOT | ALL
  expect_trap_as MODE_S, CAUSE_LOAD_ACCESS, ld t0, 0(s2)
  li t0, 0x00000073
  sw t0, 0(s2)
  fence.i
  run_in MODE_S, page_a
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  set_config PMP_NAPOT | PMP_R | PMP_W, PMP_NAPOT | ALL
  run_in MODE_S, page_a
  expect_log LOG_CAUSE, CAUSE_FETCH_ACCESS
  number 5 /* NAPOT of 4096 bytes ends there */
  la s3, page_gap
  set_config PMP_NAPOT, PMP_NAPOT | ALL
  expect_trap_as MODE_S, CAUSE_LOAD_ACCESS, lb t0, -1(s3)
  as_mode MODE_S, lb t0, 0(s3)
  number 6 /* NAPOT of 8 bytes */
  set_napot 0, page_a, 3
  expect_trap_as MODE_S, CAUSE_LOAD_ACCESS, ld t0, 0(s2)
  as_mode MODE_S, ld t0, 8(s2)

  number 7 /* TOR: from the address before, up to its own */
  set_address 0, page_a, 8
  set_address 1, page_a, 24
  everything 2
  set_config 0, PMP_TOR, PMP_NAPOT | ALL
  as_mode MODE_S, lw t0, 4(s2)
  expect_trap_as MODE_S, CAUSE_LOAD_ACCESS, lw t0, 8(s2)
  expect_trap_as MODE_S, CAUSE_LOAD_ACCESS, lw t0, 20(s2)
  as_mode MODE_S, lw t0, 24(s2)
  number 8 /* TOR of entry 0 starts at zero; bounds the wrong way round match nothing */
  set_address 0, page_a, 8
  set_config PMP_TOR | ALL
  as_mode MODE_S, lw t0, 4(s2)
  expect_trap_as MODE_S, CAUSE_LOAD_ACCESS, lw t0, 8(s2)
  set_address 0, page_a, 24
  set_address 1, page_a, 8
  set_config 0, PMP_TOR, PMP_NAPOT | ALL
  as_mode MODE_S, lw t0, 16(s2)
  number 9 /* the lowest entry decides */
  set_napot 0, page_a, 12
  set_napot 1, page_a, 12
  set_config PMP_NAPOT | PMP_R, PMP_NAPOT | ALL, PMP_NAPOT | ALL
  expect_trap_as MODE_S, CAUSE_STORE_ACCESS, sd t0, 0(s2)

  number 10 /* a change of rights reaches translations already used */
  enable_sv39
  map_page 3, page_a, PTE_KERNEL
  li s4, 0x3000
  set_config PMP_NAPOT | ALL, 0, PMP_NAPOT | ALL
  as_mode MODE_S, sd x0, 0(s4)
  set_config PMP_NAPOT | PMP_R, 0, PMP_NAPOT | ALL
  as_mode MODE_S, ld t0, 0(s4)
  expect_trap_as MODE_S, CAUSE_STORE_ACCESS, sd x0, 0(s4)
  expect_log_reg LOG_TVAL, s4
  number 11 /* the walk's own reads are checked as S-mode's: a refused table is an access fault */
  set_napot 0, leaf, 12
  set_config PMP_NAPOT, 0, PMP_NAPOT | ALL
  expect_trap_as MODE_S, CAUSE_LOAD_ACCESS, ld t0, 0(s4)
  expect_log_reg LOG_TVAL, s4
  expect_trap_as MODE_S, CAUSE_STORE_ACCESS, sd t0, 0(s4)
  csrw satp, x0

  number 20 /* locked: holds for M too, and can be written no more */
  set_address 0, page_a, 16
  set_config PMP_NA4 | PMP_R | PMP_LOCK, 0, PMP_NAPOT | ALL
  lw t0, 16(s2)
  expect_trap CAUSE_STORE_ACCESS, sw t0, 16(s2)
  sw t0, 20(s2)
  set_config 0, 0, PMP_NAPOT | ALL
  csrr t0, pmpcfg0
  andi t0, t0, 0xff
  expect t0, PMP_NA4 | PMP_R | PMP_LOCK
  csrr t0, pmpaddr0
  csrw pmpaddr0, x0
  csrr t1, pmpaddr0
  expect_equal t0, t1
  number 21 /* a locked TOR entry locks the address below it as well */
  set_address 4, page_gap, 0
  set_address 5, page_gap, 64
  li t0, (PMP_TOR | PMP_R | PMP_LOCK) << 40
  csrw pmpcfg0, t0
  csrr t0, pmpaddr4
  csrw pmpaddr4, x0
  csrr t1, pmpaddr4
  expect_equal t0, t1
  la s3, page_gap
  expect_trap CAUSE_STORE_ACCESS, sd x0, 56(s3)
  sd x0, 64(s3)
  j pass

user_code:
  ecall
