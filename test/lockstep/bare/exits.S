/*
 * One way out of translated code, again and again: ACT is one of the words below, or none for a loop without any.
 */
#include "../../isa/bare/macros.h"
#include "../../isa/bare/paging.h"

#define ROUNDS 600

.macro soon reg, ticks
  csrr \reg, time
  addi \reg, \reg, \ticks
  csrw CSR_STIMECMP, \reg
.endm

test_main:
  number 1
  li t0, MENVCFG_ADUE | MENVCFG_STCE
  csrw CSR_MENVCFG, t0
  la t0, go_on
  csrw mtvec, t0
  li t0, 1 << 5 /* STIE, which wakes M-mode and interrupts it not */
  csrw mie, t0
  csrw mideleg, t0
  la s1, data
  la s2, border
  la s3, target
  li s0, ROUNDS
  j loop

  .balign 4096
loop:
#if defined(ACT_UNTRANSLATED)
  j at_border /* which goes on into an instruction in two pages; nothing else runs on the second */
#elif defined(ACT_LOOKUP)
  jr s2
#elif defined(ACT_BUDGET)
  soon t0, 1
  li t1, 100
1:
  addi t1, t1, -1
  bnez t1, 1b
#elif defined(ACT_FETCH)
  la s4, done
  li t0, 16
  jr t0
#elif defined(ACT_ECALL)
  la s4, done
  ecall
#elif defined(ACT_XRET)
  set_mpp MODE_M
  la t0, done
  csrw mepc, t0
  mret
#elif defined(ACT_FENCE)
  sfence.vma
#elif defined(ACT_WFI)
  soon t0, 2
  wfi
#elif defined(ACT_TRAP)
  la s4, done
  ld t0, 16(x0)
#elif defined(ACT_REWRITE)
  li s4, 8 /* until it is translated */
1:
  jalr s3
  addi s4, s4, -1
  bnez s4, 1b
  sw s0, 8(s3)
#elif defined(ACT_CONTEXT)
  csrw pmpaddr1, s0
#elif defined(ACT_REFILL)
  li t0, 4096
  add s1, s1, t0
  ld t0, 0(s1)
#elif defined(ACT_NONE)
  addi s1, s1, 8
#else
#error "which ACT?"
#endif
done:
  addi s0, s0, -1
  bnez s0, loop
  j pass

/* An exception: go on at s4. */
  .balign 4
go_on:
  csrw mepc, s4
  li t6, MSTATUS_MPP
  csrs mstatus, t6
  mret

  .option rvc
  .balign 4096
  .zero 4096 - 2 - 4
at_border:
  c.nop
  c.nop
border:
  .option norvc
  j done
  .half 0

  .balign 4096
target:
  addi s1, s1, 8
  ret
  .word 0
  .balign 4096

  .section .data
  .balign 4096
data:
