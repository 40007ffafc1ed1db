/* Self-modifying code: after fence.i the hart runs what the stores left behind. */
#include "macros.h"

#define ADDI_A0 0x00050513 /* addi a0, a0, 0; the immediate is in bits 31:20 */
#define RET     0x00008067

test_main:
  number 1 /* a function rewritten before each of 200 calls */
  la s2, patch
  li s3, 200
  li s4, 0
  li s5, 0
1:
  slli t0, s3, 20
  li t1, ADDI_A0
  or t0, t0, t1
  sw t0, 0(s2)
  fence.i
  mv a0, s4
  jalr s2
  mv s4, a0
  add s5, s5, s3
  addi s3, s3, -1
  bnez s3, 1b
  expect_equal s4, s5

  number 2 /* the next instruction of the same block, on the same page */
  la t0, 2f
  li t1, ADDI_A0 | 42 << 20
  li a0, 0
  sw t1, 0(t0)
  fence.i
2:
  addi a0, a0, 1
  expect a0, 42

  number 3 /* by bytes, by an AMO and by a misaligned store */
  la t0, patch
  li t1, ADDI_A0 | 5 << 20
  sw t1, 0(t0)
  fence.i
  li a0, 0
  jalr t0
  /* addi a0, a0, 5 is bytes 13 05 55 00; the immediate's low digit is the high one of byte 2 */
  li t1, 0x05
  sb t1, 2(t0)
  li t1, 0x01
  sb t1, 3(t0)
  fence.i
  li a0, 0
  la t0, patch
  jalr t0
  expect a0, 0x10
  la t0, patch
  li t1, 0x02000000
  amoadd.w x0, t1, (t0)
  fence.i
  li a0, 0
  jalr t0
  expect a0, 0x30
  la t0, patch
  lhu t2, 4(t0)
  slli t2, t2, 16
  lhu t1, 2(t0)
  li t3, 0x4000
  xor t1, t1, t3
  or t1, t1, t2
  sw t1, 2(t0)
  fence.i
  li a0, 0
  jalr t0
  li t1, 0x430
  expect_equal a0, t1

  number 4 /* code written to a page that never was code, then overwritten many times */
  la s2, blank
  li s3, 100
3:
  slli t0, s3, 20
  li t1, ADDI_A0
  or t0, t0, t1
  sw t0, 0(s2)
  li t1, RET
  sw t1, 4(s2)
  fence.i
  li a0, 0
  jalr s2
  expect_equal a0, s3
  addi s3, s3, -1
  bnez s3, 3b

  number 5 /* an instruction straddling two pages, its second half rewritten */
  la s2, straddle
  fence.i
  li a0, 0
  jalr s2
  expect a0, 1
  li t1, 0x0070
  sh t1, 2(s2)
  fence.i
  li a0, 0
  jalr s2
  expect a0, 7
  j pass

  .balign 64
patch:
  addi a0, a0, 0
  ret
  nop

  .balign 4096
  .zero 4094
straddle:
  .2byte 0x0513 /* addi a0, x0, 1 */
  .2byte 0x0010
  ret

  .section .data
  .balign 64
blank:
  .zero 64
