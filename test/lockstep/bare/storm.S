/*
 * Code rewritten all the time while it is hot: in the running block, in its page, in another page, across two pages,
 * with and without fence.i (this hart fetches what is in memory), and data written beside code.
 */
#include "../../isa/bare/macros.h"

#define ROUNDS 400
#define ADDI_A0 0x00050513 /* addi a0, a0, 0; the immediate is bits 31:20 */

test_main:
  number 1 /* the instruction after next, in the same block */
  li s0, ROUNDS
  li s1, 0
  li a0, 0
  la s2, patched_here
1:
  li t0, ADDI_A0
  andi t1, s0, 0x7ff
  add s1, s1, t1
  slli t1, t1, 20
  add t0, t0, t1
  sw t0, 0(s2)
  nop
patched_here:
  addi a0, a0, 0
  addi s0, s0, -1
  bnez s0, 1b
  expect_equal a0, s1

  number 2 /* another page, called; fence.i every other time */
  li s0, ROUNDS
  li s1, 0
  li a0, 0
  la s2, far
2:
  li t0, ADDI_A0
  andi t1, s0, 0x3f
  add s1, s1, t1
  slli t1, t1, 20
  add t0, t0, t1
  sw t0, 0(s2)
  andi t1, s0, 1
  bnez t1, 3f
  fence.i
3:
  jalr ra, 0(s2)
  jalr ra, 0(s2)
  andi t1, s0, 0x3f
  add s1, s1, t1
  addi s0, s0, -1
  bnez s0, 2b
  expect_equal a0, s1

  number 3 /* an instruction of which each half lies in another page */
  li s0, ROUNDS
  li s1, 0
  li a0, 0
  la s2, across
4:
  li t0, ADDI_A0 >> 16
  andi t1, s0, 0x3f
  add s1, s1, t1
  slli t1, t1, 4
  add t0, t0, t1
  sh t0, 2(s2)
  jalr ra, -2(s2)
  addi s0, s0, -1
  bnez s0, 4b
  expect_equal a0, s1

  number 4 /* counters in the line after hot code, and in the line of the code itself */
  li s0, 4 * ROUNDS
  la s2, beside
  la s3, within
5:
  ld t0, 0(s2)
  addi t0, t0, 1
  sd t0, 0(s2)
  andi t1, s0, 7
  bnez t1, 6f
  ld t0, 0(s3)
  addi t0, t0, 1
  sd t0, 0(s3)
6:
  addi s0, s0, -1
  bnez s0, 5b
  j 7f
  .balign 8
within:
  .dword 0
7:
  ld t0, 0(s2)
  expect t0, 4 * ROUNDS
  ld t0, 0(s3)
  expect t0, ROUNDS / 2

  number 5 /* a loop that turns its own branch around */
  li s0, ROUNDS
  la s2, turned
  lw s3, turned_bne
  lw s4, turned_beq
8:
  sw s3, 0(s2)
  li a0, 20
9:
  addi a0, a0, -1
  addi t0, a0, -7
  bnez t0, 10f
  sw s4, 0(s2)
10:
turned:
  bnez a0, 9b
  expect a0, 7
  addi s0, s0, -1
  bnez s0, 8b
  j pass

turned_bne:
  .word 0xfe0518e3 /* bne a0, x0, -16 */
turned_beq:
  .word 0xfe0508e3 /* beq a0, x0, -16 */
  .balign 64
  .zero 64
beside:
  .dword 0

  .balign 4096
far:
  addi a0, a0, 0
  ret

  .balign 4096
  .zero 4092
  .option rvc
  c.nop
  .option norvc
across:
  addi a0, a0, 0
  ret
