/*
 * Code written while it runs: through another mapping, beside data, in pages that are remapped, by a device; in M, S and U,
 * with fence.i and without. After a fence the new code runs; without one the old or the new, whole, and nothing else
 * (Unprivileged ISA, "Zifencei"; Privileged ISA, "Supervisor Memory-Management Fence Instruction").
 */
#include "../../isa/bare/macros.h"
#include "../../isa/bare/paging.h"

#define ADDI_A0 0x00000513 /* addi a0, x0, 0; the immediate is in bits 31:20 */
#define RET     0x00008067
#define EXEC    0x10000 /* page_a, executable */
#define ALIAS   0x20000 /* page_a, writable */
#define WORKER  0x30000 /* the worker's own page */
#define ROUNDS  300
#define LEAF(va) ((va) >> 12)

/* Runs the worker on code at \exec, written at \write, in \mode; \fence: 1 or 0. */
.macro work mode, exec, write, fence
  li s2, \write
  li s3, \exec
  li s6, \fence
  li s4, ROUNDS
  run_at \mode, WORKER
  ld t5, LOG_CAUSE(s10)
  li t6, \mode + 8
  expect_equal t5, t6
  expect s4, 0
.endm

.macro map_all user
  map_page LEAF(EXEC), page_a, (PTE_V | PTE_R | PTE_X | PTE_A | \user)
  map_page LEAF(ALIAS), page_a, (PTE_V | PTE_R | PTE_W | PTE_A | PTE_D | \user)
  map_page LEAF(WORKER), worker, (PTE_V | PTE_R | PTE_X | PTE_A | \user)
.endm

test_main:
  number 1 /* M-mode: one mapping, a data word in the code's line */
  la s2, page_a
  mv s3, s2
  li s4, ROUNDS
  li s6, 1
  la t6, 1f
  sd t6, LOG_RESUME(s10)
  j worker
1:
  expect_log LOG_CAUSE, CAUSE_ECALL_M
  expect s4, 0
  number 2
  la s2, page_a
  mv s3, s2
  li s4, ROUNDS
  li s6, 0
  la t6, 1f
  sd t6, LOG_RESUME(s10)
  j worker
1:
  expect_log LOG_CAUSE, CAUSE_ECALL_M
  expect s4, 0

  enable_sv39
  map_all 0
  number 3 /* S-mode, through two mappings */
  work MODE_S, EXEC, ALIAS, 1
  number 4
  work MODE_S, EXEC, ALIAS, 0
  map_all PTE_U
  number 5 /* the same in U-mode */
  work MODE_U, EXEC, ALIAS, 1
  number 6
  work MODE_U, EXEC, ALIAS, 0

  number 7 /* one address, two pages by turns */
  la t0, page_a
  li t1, ADDI_A0 | 11 << 20
  sw t1, 0(t0)
  li t1, RET
  sw t1, 4(t0)
  la t0, page_b
  li t1, ADDI_A0 | 22 << 20
  sw t1, 0(t0)
  li t1, RET
  sw t1, 4(t0)
  fence.i
  map_page LEAF(WORKER), caller, (PTE_V | PTE_R | PTE_X | PTE_A | PTE_U)
  li s3, EXEC
  li s4, 60
7:
  map_page LEAF(EXEC), page_a, (PTE_V | PTE_R | PTE_X | PTE_A | PTE_U)
  run_at MODE_U, WORKER
  expect_log LOG_CAUSE, CAUSE_ECALL_U
  expect a0, 11 * 3
  map_page LEAF(EXEC), page_b, (PTE_V | PTE_R | PTE_X | PTE_A | PTE_U)
  run_at MODE_U, WORKER
  expect_log LOG_CAUSE, CAUSE_ECALL_U
  expect a0, 22 * 3
  addi s4, s4, -1
  bnez s4, 7b

  number 8 /* a device answers in the record of its request, which has run as code */
  la s3, record
  li s4, 60
8:
  li t0, 64 /* write; as code: c.addi4spn x8, sp, 4 and an illegal parcel */
  sd t0, 0(s3)
  li t0, 7 /* no such file: the answer is -9; as code an illegal instruction of four bytes */
  sd t0, 8(s3)
  fence.i
  la t6, 1f
  sd t6, LOG_RESUME(s10)
  jr s3
1:
  addi t4, s3, 2
  expect_log_reg LOG_EPC, t4
  expect_log LOG_CAUSE, CAUSE_ILLEGAL
  la t0, tohost
  sd s3, 0(t0)
  fence.i
  la t6, 1f
  sd t6, LOG_RESUME(s10)
  jr s3
1:
  expect_log_reg LOG_EPC, s3
  expect_log LOG_TVAL, 0xfffffff7
  addi s4, s4, -1
  bnez s4, 8b
  j pass

/* In: s2 where code is written, s3 where it runs, s4 rounds, s6 fence. Out: s4 = 0, or the round that failed. */
  .balign 4096
worker:
  li t0, RET
  sw t0, 4(s2)
  fence.i
  li s5, ROUNDS + 1
  slli t0, s5, 20
  li t1, ADDI_A0
  or t0, t0, t1
  sw t0, 0(s2)
  fence.i
1:
  slli t0, s4, 20
  li t1, ADDI_A0
  or t0, t0, t1
  sw t0, 0(s2)
  sd s4, 16(s2)
  beqz s6, 2f
  fence.i
2:
  jalr s3
  beq a0, s4, 3f
  bnez s6, 4f
  bne a0, s5, 4f
3:
  ld t0, 16(s3)
  bne t0, s4, 4f
  mv s5, s4
  addi s4, s4, -1
  bnez s4, 1b
4:
  ecall

/* a0 = three times what the code at s3 gives. */
  .balign 4096
caller:
  li s5, 0
  li s7, 3
1:
  jalr s3
  add s5, s5, a0
  addi s7, s7, -1
  bnez s7, 1b
  mv a0, s5
  ecall
  .balign 4096

  .section .data
  .balign 64
record:
  .zero 64
