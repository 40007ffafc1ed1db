/*
 * What a generated program stands on, as a Linux user program and, with BARE defined, on the naked hart: there it runs
 * in U-mode under Sv39 (16 MiB in identity-mapped 4 KiB pages, A and D set by the hart) and a machine-mode handler
 * serves its two system calls, write and exit, through HTIF. CODE and DATA name the generated images.
 * TICKING (bare only): a timer interrupt every 100 to 200 instructions, which the program must not notice.
 * An instruction that is illegal is stepped over and sets x27 to 1; bare, it is 2 if mtval were not its bits.
 *
 * gp (x3) points at the data image and tp (x4) is the link register of runtime calls; both belong to the runtime.
 * Data image header, offsets from gp: 0x00 flush, 0x08 dump, 0x10 exit (addresses), 0x20 output pointer,
 * 0x28 - 0x5f saved registers. The constants below are those of layout.ts.
 */
#define SYS_WRITE    64
#define SYS_EXIT     93
#define OUT_POINTER  0x20
#define SAVED        0x28
#define FLUSH_LEVEL  0x40000
#define FROMHOST     64 /* from tohost */
#define SYS_SIGACTION 134
#define SIGILL       4
#define SYS_SIGALTSTACK 132
#define SA_SIGINFO   4
#define SA_ONSTACK   0x08000000
#define CONTEXT_PC   176 /* of struct ucontext: the registers begin with pc in the place of x0 */

  .section .runtime, "awx"
  .option norvc
  .globl _start
_start:
#ifdef BARE
  j bare_start
#else
  j user_start
#endif

/* Writes the collected output once there is enough of it. Keeps every register but tp. */
  .org 0x100
flush:
  sd a0, SAVED(gp)
  sd a1, SAVED+8(gp)
  sd a2, SAVED+16(gp)
  ld a0, OUT_POINTER(gp)
  la a1, output
  sub a2, a0, a1
  li a0, FLUSH_LEVEL
  blt a2, a0, 1f
  sd tp, SAVED+24(gp)
  jal tp, write_out
  ld tp, SAVED+24(gp)
1:
  ld a0, SAVED(gp)
  ld a1, SAVED+8(gp)
  ld a2, SAVED+16(gp)
  jr tp

/* Appends x1 … x31, f0 … f31 and fcsr (64 words) to the output. Keeps every register but tp. */
  .org 0x200
dump:
  sd a0, SAVED+40(gp)
  ld a0, OUT_POINTER(gp)
  .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  sd x\n, (\n - 1) * 8(a0)
  .endr
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  fsd f\n, (\n + 31) * 8(a0)
  .endr
  sd a1, SAVED+48(gp)
  ld a1, SAVED+40(gp)
  sd a1, 72(a0)
  frcsr a1
  sd a1, 63 * 8(a0)
  ld a1, SAVED+48(gp)
  addi a0, a0, 64 * 8
  sd a0, OUT_POINTER(gp)
  ld a0, SAVED+40(gp)
  j flush

  .org 0x400
exit:
  jal tp, write_out
  li a0, 0
  li a7, SYS_EXIT
  ecall

/* Writes all output; clobbers a0 … a2, keeps a7. */
write_out:
  sd a7, SAVED+32(gp)
  la a1, output
  ld a2, OUT_POINTER(gp)
  sub a2, a2, a1
1:
  blez a2, 2f
  li a0, 1
  li a7, SYS_WRITE
  ecall
  blez a0, 3f
  add a1, a1, a0
  sub a2, a2, a0
  j 1b
2:
  la a1, output
  sd a1, OUT_POINTER(gp)
  ld a7, SAVED+32(gp)
  jr tp
3:
  li a0, 1
  li a7, SYS_EXIT
  ecall

#ifndef BARE
/* void (int, siginfo_t *, ucontext_t *) */
on_illegal:
  ld a0, CONTEXT_PC(a2)
  lhu a1, 0(a0)
  andi a1, a1, 3
  addi a1, a1, -3
  seqz a1, a1
  slli a1, a1, 1
  addi a1, a1, 2
  add a0, a0, a1
  sd a0, CONTEXT_PC(a2)
  li a0, 1
  sd a0, CONTEXT_PC + 27 * 8(a2)
  ret
  .balign 8
sigaction:
  .dword on_illegal, SA_SIGINFO | SA_ONSTACK, 0
signal_stack: /* programs use sp as they like */
  .dword signal_stack_area, 0, 16384
#endif

user_start:
#ifndef BARE
  li a0, SIGILL
  la a1, sigaction
  li a2, 0
  li a3, 8
  li a7, SYS_SIGACTION
  ecall
  la a0, signal_stack
  li a1, 0
  li a7, SYS_SIGALTSTACK
  ecall
#endif
  la gp, data
  la tp, output
  sd tp, OUT_POINTER(gp)
  fscsr x0
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  fmv.d.x f\n, x0
  .endr
  .irp n, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  li x\n, 0
  .endr
  la tp, code
  jr tp

#ifdef BARE
bare_start:
  la t0, trap
  csrw mtvec, t0
  li t0, -1
  csrw pmpaddr0, t0
  li t0, 0x1f
  csrw pmpcfg0, t0
  li t0, 0xf0 /* cache block instructions allowed */
  csrw 0x10a, t0
  li t1, 5 << 61 /* STCE, ADUE */
  or t0, t0, t1
  csrw 0x30a, t0
  la t0, leaf_tables
  li t1, 0x80000000 >> 2 | 0x1f /* V R W X U */
  li t2, 4096
1:
  sd t1, 0(t0)
  addi t0, t0, 8
  addi t1, t1, 4096 >> 2
  addi t2, t2, -1
  bnez t2, 1b
  la t0, middle_table
  la t1, leaf_tables
  srli t1, t1, 2
  ori t1, t1, 1
  li t2, 8
1:
  sd t1, 0(t0)
  addi t0, t0, 8
  addi t1, t1, 4096 >> 2
  addi t2, t2, -1
  bnez t2, 1b
  la t0, middle_table
  srli t0, t0, 2
  ori t0, t0, 1
  la t1, root_table
  sd t0, 2 * 8(t1)
  li t0, -1
#ifdef TICKING
  li t0, 0
#endif
  csrw 0x14d, t0 /* stimecmp */
  li t0, 1 << 5
  csrw mie, t0
  la t0, root_table
  srli t0, t0, 12
  li t1, 8 << 60
  or t0, t0, t1
  csrw satp, t0
  sfence.vma
  li t0, 1 << 13 /* FS initial, MPP user */
  csrw mstatus, t0
  la t0, user_start
  csrw mepc, t0
  la t0, handler_area
  csrw mscratch, t0
  mret

  .balign 4
trap:
  csrrw sp, mscratch, sp
  sd t0, 0(sp)
  sd t1, 8(sp)
  csrr t0, mcause
  li t1, 2
  beq t0, t1, illegal
  li t1, 1 << 63 | 5
  beq t0, t1, tick
  li t1, 8
  bne t0, t1, unexpected
  li t1, SYS_WRITE
  bne a7, t1, finish
  la t0, htif_request
  sd a7, 0(t0)
  sd a0, 8(t0)
  sd a1, 16(t0)
  sd a2, 24(t0)
  fence
  la t1, tohost
  sd t0, 0(t1)
1:
  ld t0, FROMHOST(t1)
  beqz t0, 1b
  sd x0, FROMHOST(t1)
  la t0, htif_request
  ld a0, 0(t0)
  csrr t0, mepc
  addi t0, t0, 4
  csrw mepc, t0
leave:
  ld t0, 0(sp)
  ld t1, 8(sp)
  csrrw sp, mscratch, sp
  mret

tick:
  csrr t0, time
  addi t0, t0, 1
  csrw 0x14d, t0
  j leave

illegal:
  csrr t0, mepc
  lhu t1, 0(t0)
  andi x27, t1, 3
  addi x27, x27, -3
  bnez x27, 1f
  lhu x27, 2(t0)
  slli x27, x27, 16
  or t1, t1, x27
  addi t0, t0, 2
1:
  addi t0, t0, 2
  csrw mepc, t0
  csrr t0, mtval
  xor t1, t1, t0
  snez t1, t1
  addi x27, t1, 1
  j leave

/* Any other trap ends the program: after the output so far comes a record for harness.ts. */
unexpected:
  la gp, data
  jal tp, user_write
  la t1, trap_record
  csrr t0, mcause
  sd t0, 8(t1)
  csrr t0, mtval
  sd t0, 16(t1)
  csrr t0, mepc
  sd t0, 24(t1)
  mv a1, t1
  li a2, 32
  jal tp, htif_write
  li a0, 1
finish:
  slli a0, a0, 1
  ori a0, a0, 1
  la t1, tohost
  sd a0, 0(t1)
  j finish

user_write:
  la a1, output
  ld a2, OUT_POINTER(gp)
  sub a2, a2, a1
htif_write:
  la t0, htif_request
  li a7, SYS_WRITE
  sd a7, 0(t0)
  li a7, 1
  sd a7, 8(t0)
  sd a1, 16(t0)
  sd a2, 24(t0)
  fence
  la t1, tohost
  sd t0, 0(t1)
1:
  ld t0, FROMHOST(t1)
  beqz t0, 1b
  sd x0, FROMHOST(t1)
  jr tp

  .balign 64
  .globl tohost
  .type tohost, @object
  .size tohost, 8
tohost: .dword 0
  .balign 64
  .globl fromhost
  .type fromhost, @object
  .size fromhost, 8
fromhost: .dword 0
  .balign 64
htif_request: .zero 64
handler_area: .zero 16
trap_record: .ascii "TRAPTRAP"
  .zero 24
  .balign 4096
root_table:
  .zero 4096
middle_table:
  .zero 4096
leaf_tables:
  .zero 8 * 4096
#endif

  .section .code, "awx"
code: .incbin CODE
  .section .data, "aw"
data: .incbin DATA
  .section .output, "aw", @nobits
output: .zero 0x100000
#ifndef BARE
signal_stack_area: .zero 16384
#endif
