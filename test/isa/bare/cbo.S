/* Cache block operations: effect, envcfg gates, permissions and fault addresses; prefetches do nothing at all. */
#include "macros.h"
#include "paging.h"

/* The base register is s2 (x18). */
#define CBO_INVAL .4byte 0x0000200f | 18 << 15
#define CBO_CLEAN .4byte 0x0010200f | 18 << 15
#define CBO_FLUSH .4byte 0x0020200f | 18 << 15
#define CBO_ZERO  .4byte 0x0040200f | 18 << 15
#define PREFETCH_R .4byte 0x00106013 | 18 << 15

.macro fill reg
  li t0, -1
  .irp n, 0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120
  sd t0, \n(\reg)
  .endr
.endm

test_main:
  la s3, page_a
  number 1 /* 64 bytes around the address, wherever it points in them */
  fill s3
  addi s2, s3, 64 + 37
  CBO_ZERO
  li t1, -1
  .irp n, 0, 8, 16, 24, 32, 40, 48, 56
  ld t0, \n(s3)
  expect_equal t0, t1
  .endr
  .irp n, 64, 72, 80, 88, 96, 104, 112, 120
  ld t0, \n(s3)
  expect_equal t0, x0
  .endr
  number 2 /* the others leave memory as it is */
  fill s3
  mv s2, s3
  CBO_INVAL
  CBO_CLEAN
  CBO_FLUSH
  ld t0, 0(s3)
  expect_equal t0, t1

  number 10 /* menvcfg gates S-mode, senvcfg U-mode too */
  csrw CSR_MENVCFG, x0
  csrw CSR_SENVCFG, x0
  run_in MODE_S, do_zero
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  run_in MODE_S, do_clean
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  run_in MODE_S, do_flush
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  run_in MODE_S, do_inval
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  expect_log LOG_TVAL, 0x0000200f | 18 << 15
  number 11
  li t0, ENVCFG_CBIE | ENVCFG_CBCFE | ENVCFG_CBZE
  csrw CSR_MENVCFG, t0
  run_in MODE_S, do_zero
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  run_in MODE_S, do_clean
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  run_in MODE_S, do_inval
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  run_in MODE_U, do_zero
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  run_in MODE_U, do_inval
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  number 12
  li t0, ENVCFG_CBIE | ENVCFG_CBCFE | ENVCFG_CBZE
  csrw CSR_SENVCFG, t0
  run_in MODE_U, do_zero
  expect_log LOG_CAUSE, CAUSE_ECALL_U
  run_in MODE_U, do_flush
  expect_log LOG_CAUSE, CAUSE_ECALL_U
  run_in MODE_U, do_inval
  expect_log LOG_CAUSE, CAUSE_ECALL_U

  number 20 /* cbo.zero is a store; the fault names the address in rs1 */
  enable_sv39
  map_page 3, page_a, PTE_V | PTE_R | PTE_A
  li s2, 0x3000 + 37
  expect_trap_as MODE_S, CAUSE_STORE_PAGE, CBO_ZERO
  expect_log_reg LOG_TVAL, s2
  number 21 /* the others need some right to the page */
  as_mode MODE_S, CBO_CLEAN
  as_mode MODE_S, CBO_FLUSH
  map_page 3, page_a, 0
  expect_trap_as MODE_S, CAUSE_STORE_PAGE, CBO_CLEAN
  expect_log_reg LOG_TVAL, s2
  expect_trap_as MODE_S, CAUSE_STORE_PAGE, CBO_INVAL
  number 22 /* it sets D */
  li t0, MENVCFG_ADUE
  csrs CSR_MENVCFG, t0
  map_page 3, page_a, PTE_V | PTE_R | PTE_W
  as_mode MODE_S, CBO_ZERO
  la t0, leaf
  ld t0, 24(t0)
  andi t0, t0, 0xff
  expect t0, PTE_V | PTE_R | PTE_W | PTE_A | PTE_D
  number 23 /* a prefetch of a page that is not there */
  map_page 3, page_a, 0
  as_mode MODE_S, PREFETCH_R
  j pass

do_zero:
  CBO_ZERO
  ecall
do_clean:
  CBO_CLEAN
  ecall
do_flush:
  CBO_FLUSH
  ecall
do_inval:
  CBO_INVAL
  ecall
