/*
 * Hot code in which every access in turn faults: eight loads and stores off different bases, of which one is moved out of
 * memory for one round; the handler counts what it sees, mends the base and goes on with the very instruction. Then
 * accesses across page borders, misaligned ones included.
 */
#include "../../isa/bare/macros.h"

#define ROUNDS 2000

test_main:
  number 1
  la t0, mend
  csrw mtvec, t0
  la s2, area
  mv s3, s2
  mv s4, s2
  mv s5, s2
  mv s6, s2
  li s0, ROUNDS
  li s7, 0 /* faults */
  li s8, 0 /* sum of mepc and mtval */
  li a0, 0
round:
  andi t0, s0, 31
  bnez t0, access
  srli t0, s0, 5
  andi t0, t0, 3
  bnez t0, 1f
  li s3, 16
  j access
1:
  addi t0, t0, -1
  bnez t0, 2f
  li s4, 32
  j access
2:
  addi t0, t0, -1
  bnez t0, 3f
  li s5, -64
  j access
3:
  li s6, 0x7fff0000
access:
  addi a0, a0, 1
  sd a0, 0(s3)
  ld a1, 0(s3)
  addi a0, a0, 1
  sw a0, 16(s4)
  lw a2, 16(s4)
  lhu a3, 18(s4)
  addi a0, a0, 1
  sb a0, 33(s5)
  lb a4, 33(s5)
  add a1, a1, a4
  amoadd.d a5, a0, (s6)
  ld a6, 8(s6)
  addi s0, s0, -1
  bnez s0, round
  li t0, ROUNDS / 32
  li t1, 1
  sltu t0, s7, t0 /* each round meant to fault did, at least once */
  expect t0, 0

  number 2 /* across page borders */
  la s2, border
  li s0, 600
  li a0, 0
4:
  andi t0, s0, 15
  add t1, s2, t0
  sd s0, -8(t1)
  ld a1, -8(t1)
  expect_equal a1, s0
  sw s0, -5(t1)
  lwu a2, -5(t1)
  expect_equal a2, s0
  lh a3, -6(t1)
  add a0, a0, a3
  addi s0, s0, -1
  bnez s0, 4b
  la t0, machine_trap
  csrw mtvec, t0
  j pass

  .balign 4
mend:
  csrr t5, mepc
  add s8, s8, t5
  csrr t6, mtval
  xor s8, s8, t6
  addi s7, s7, 1
  la s3, area
  mv s4, s3
  mv s5, s3
  mv s6, s3
  mret

  .data
  .balign 4096
area:
  .zero 4096
border:
  .zero 4096
