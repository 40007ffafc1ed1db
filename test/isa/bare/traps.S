/* Cause, tval and epc of synchronous exceptions in M-, S- and U-mode. */
#include "macros.h"

test_main:
  li t6, MSTATUS_FS
  csrs mstatus, t6
  fscsr x0

  number 1 /* tval of an illegal instruction is its bits */
  expect_trap CAUSE_ILLEGAL, .4byte 0xffffffff
  expect_log LOG_TVAL, 0xffffffff
  number 2
  expect_trap CAUSE_ILLEGAL, .4byte 0
  expect_log LOG_TVAL, 0
  number 3 /* a CSR that does not exist, and a write to one that is read-only */
  expect_trap CAUSE_ILLEGAL, csrr t0, 0x5c0
  expect_log LOG_TVAL, 0x5c0022f3
  number 4
  expect_trap CAUSE_ILLEGAL, csrw mhartid, x0
  expect_log LOG_TVAL, 0xf1401073
  number 5 /* csrrs with x0 writes nothing */
  li t0, 77
  csrr t0, mhartid
  expect t0, 0

  number 6 /* reserved static rounding modes, and reserved dynamic ones */
  expect_trap CAUSE_ILLEGAL, .4byte 0x0020d053
  expect_trap CAUSE_ILLEGAL, .4byte 0x0020e053
  expect_log LOG_TVAL, 0x0020e053
  expect_trap CAUSE_ILLEGAL, .4byte 0x0220d053
  fsrmi 5
  expect_trap CAUSE_ILLEGAL, fadd.d f0, f1, f2, dyn
  fsrmi 7
  expect_trap CAUSE_ILLEGAL, fsqrt.s f0, f1, dyn
  fadd.d f0, f1, f2, rne
  fsgnj.d f0, f1, f2
  fsrmi 0
  number 7 /* FS off: arithmetic, loads, stores and fcsr are illegal */
  li t6, MSTATUS_FS
  csrc mstatus, t6
  expect_trap CAUSE_ILLEGAL, fadd.d f0, f1, f2
  expect_trap CAUSE_ILLEGAL, fld f0, 0(s10)
  expect_trap CAUSE_ILLEGAL, fsd f0, 0(s10)
  expect_trap CAUSE_ILLEGAL, fmv.x.d t0, f0
  expect_trap CAUSE_ILLEGAL, frflags t0
  expect_trap CAUSE_ILLEGAL, csrw fcsr, x0
  number 8 /* FS becomes dirty with a write to an f register or to fcsr */
  li t6, 1 << 13
  csrs mstatus, t6
  fmv.d.x f0, x0
  csrr t0, mstatus
  li t1, MSTATUS_FS
  and t2, t0, t1
  expect_equal t2, t1
  srli t0, t0, 63
  expect t0, 1

  number 10
  expect_trap CAUSE_BREAKPOINT, ebreak
  expect_log_label LOG_TVAL, 78b
  number 11
  expect_trap CAUSE_ECALL_M, ecall
  expect_log LOG_TVAL, 0

  number 12 /* nothing answers at this physical address */
  li t0, 0x00001000ff000
  expect_trap CAUSE_LOAD_ACCESS, ld t1, 8(t0)
  li t1, 0x00001000ff008
  expect_log_reg LOG_TVAL, t1
  expect_trap CAUSE_STORE_ACCESS, sw t1, 8(t0)
  expect_log_reg LOG_TVAL, t1
  expect_trap CAUSE_STORE_ACCESS, amoadd.w t2, t1, (t0)
  expect_log_reg LOG_TVAL, t0
  expect_trap CAUSE_LOAD_ACCESS, lr.w t2, (t0)
  number 13 /* the jump retires; the fetch traps with epc and tval at the target */
  la t6, 1f
  sd t6, LOG_RESUME(s10)
  jr t0
  j fail
1:
  expect_log LOG_CAUSE, CAUSE_FETCH_ACCESS
  expect_log_reg LOG_TVAL, t0
  expect_log_reg LOG_EPC, t0

  number 14 /* misaligned atomics */
  la t0, words
  addi t1, t0, 2
  expect_trap CAUSE_LOAD_MISALIGNED, lr.w t2, (t1)
  expect_log_reg LOG_TVAL, t1
  expect_trap CAUSE_STORE_MISALIGNED, sc.w t2, t2, (t1)
  expect_trap CAUSE_STORE_MISALIGNED, amoswap.w t2, t2, (t1)
  expect_log_reg LOG_TVAL, t1
  addi t1, t0, 4
  expect_trap CAUSE_STORE_MISALIGNED, amomax.d t2, t2, (t1)
  expect_trap CAUSE_LOAD_MISALIGNED, lr.d t2, (t1)

  number 20 /* U-mode: its own ecall, and nothing of M- and S-mode */
  csrw satp, x0
  run_in MODE_U, do_ecall
  expect_log LOG_CAUSE, CAUSE_ECALL_U
  expect_log_label LOG_EPC, do_ecall
  ld t0, LOG_STATUS(s10)
  li t1, MSTATUS_MPP
  and t0, t0, t1
  expect t0, 0
  number 21
  run_in MODE_U, do_mret
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  expect_log LOG_TVAL, 0x30200073
  run_in MODE_U, do_sret
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  run_in MODE_U, read_sstatus
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  run_in MODE_U, do_sfence
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  run_in MODE_U, do_wfi
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  number 22 /* S-mode */
  run_in MODE_S, do_ecall
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  ld t0, LOG_STATUS(s10)
  li t1, MSTATUS_MPP
  and t0, t0, t1
  expect t0, MODE_S << 11
  run_in MODE_S, do_mret
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  run_in MODE_S, read_mstatus
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  number 23 /* TSR, TVM and TW take sret, satp and sfence.vma, and wfi from S-mode */
  li t0, MSTATUS_TSR | MSTATUS_TVM | MSTATUS_TW
  csrs mstatus, t0
  run_in MODE_S, do_sret
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  expect_log LOG_TVAL, 0x10200073
  run_in MODE_S, do_sfence
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  run_in MODE_S, read_satp
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  run_in MODE_S, do_wfi
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  csrc mstatus, t0
  run_in MODE_S, read_satp
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  number 24 /* counters are gated by mcounteren, and for U-mode by scounteren too */
  csrw mcounteren, x0
  csrw scounteren, x0
  run_in MODE_S, read_instret
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  li t0, 7
  csrw mcounteren, t0
  run_in MODE_S, read_instret
  expect_log LOG_CAUSE, CAUSE_ECALL_S
  run_in MODE_U, read_instret
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  csrw scounteren, t0
  run_in MODE_U, read_instret
  expect_log LOG_CAUSE, CAUSE_ECALL_U
  number 25 /* the interrupt stack: MIE moves to MPIE and is cleared; mret moves MPIE (cleared) back, sets it, and MPP is U */
  csrsi mstatus, MSTATUS_MIE
  expect_trap CAUSE_ECALL_M, ecall
  ld t0, LOG_STATUS(s10)
  andi t0, t0, MSTATUS_MPIE | MSTATUS_MIE
  expect t0, MSTATUS_MPIE
  csrr t0, mstatus
  li t1, MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MIE
  and t0, t0, t1
  expect t0, MSTATUS_MPIE
  j pass

do_ecall:
  ecall
do_mret:
  mret
  ecall
do_sret:
  sret
  ecall
do_sfence:
  sfence.vma
  ecall
do_wfi:
  wfi
  ecall
read_sstatus:
  csrr t0, sstatus
  ecall
read_mstatus:
  csrr t0, mstatus
  ecall
read_satp:
  csrr t1, satp
  ecall
read_instret:
  rdinstret t1
  ecall

  .section .data
  .balign 16
words:
  .zero 32
