/*
 * Frame of the privileged tests: programs that run bare from 0x80000000 in M-mode and report through HTIF tohost.
 *
 * Exit code 0: all passed; n: expectation number n (the last `number`) failed; 512 + n: a trap nobody expected after it.
 * s10 points at the trap log, s11 holds the number; t5 and t6 belong to the macros. The machine-mode handler writes the
 * trap into the log and goes on in M-mode at the log's resume address, with MIE clear.
 */
#define LOG_CAUSE   0
#define LOG_TVAL    8
#define LOG_EPC     16
#define LOG_STATUS  24
#define LOG_RESUME  32
#define LOG_INSTRET 40
#define LOG_TIME    48

#define MODE_U 0
#define MODE_S 1
#define MODE_M 3

#define CAUSE_FETCH_ACCESS     1
#define CAUSE_ILLEGAL          2
#define CAUSE_BREAKPOINT       3
#define CAUSE_LOAD_MISALIGNED  4
#define CAUSE_LOAD_ACCESS      5
#define CAUSE_STORE_MISALIGNED 6
#define CAUSE_STORE_ACCESS     7
#define CAUSE_ECALL_U          8
#define CAUSE_ECALL_S          9
#define CAUSE_ECALL_M          11
#define CAUSE_FETCH_PAGE       12
#define CAUSE_LOAD_PAGE        13
#define CAUSE_STORE_PAGE       15
#define INTERRUPT              (1 << 63)

#define MSTATUS_SIE  (1 << 1)
#define MSTATUS_MIE  (1 << 3)
#define MSTATUS_SPIE (1 << 5)
#define MSTATUS_MPIE (1 << 7)
#define MSTATUS_SPP  (1 << 8)
#define MSTATUS_MPP  (3 << 11)
#define MSTATUS_FS   (3 << 13)
#define MSTATUS_MPRV (1 << 17)
#define MSTATUS_SUM  (1 << 18)
#define MSTATUS_MXR  (1 << 19)
#define MSTATUS_TVM  (1 << 20)
#define MSTATUS_TW   (1 << 21)
#define MSTATUS_TSR  (1 << 22)

#define CSR_MENVCFG  0x30a
#define CSR_SENVCFG  0x10a
#define CSR_STIMECMP 0x14d
#define ENVCFG_CBIE  (3 << 4)
#define ENVCFG_CBCFE (1 << 6)
#define ENVCFG_CBZE  (1 << 7)
#define MENVCFG_ADUE (1 << 61)
#define MENVCFG_PBMTE (1 << 62)
#define MENVCFG_STCE (1 << 63)

#define PTE_V 1
#define PTE_R 2
#define PTE_W 4
#define PTE_X 8
#define PTE_U 16
#define PTE_A 64
#define PTE_D 128
#define PTE_KERNEL (PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D)

  .section .text.init, "ax"
  .option norvc
  .option nopic
  .globl _start
_start:
  la s10, trap_log
  li s11, 0
  la t6, machine_trap
  csrw mtvec, t6
  li t6, -1
  csrw pmpaddr0, t6
  li t6, 0x1f
  csrw pmpcfg0, t6
  j test_main

  .balign 4
machine_trap:
  csrr t6, minstret
  csrr t5, time
  sd t6, LOG_INSTRET(s10)
  sd t5, LOG_TIME(s10)
  csrr t6, mcause
  sd t6, LOG_CAUSE(s10)
  csrr t6, mtval
  sd t6, LOG_TVAL(s10)
  csrr t6, mepc
  sd t6, LOG_EPC(s10)
  csrr t6, mstatus
  sd t6, LOG_STATUS(s10)
  ld t6, LOG_RESUME(s10)
  beqz t6, unexpected_trap
  sd x0, LOG_RESUME(s10)
  csrw mepc, t6
  li t6, MSTATUS_MPIE
  csrc mstatus, t6
  li t6, MSTATUS_MPP
  csrs mstatus, t6
  mret

unexpected_trap:
  addi s11, s11, 512
fail:
  slli s11, s11, 1
  ori s11, s11, 1
finish:
  la t6, tohost
1:
  sd s11, 0(t6)
  j 1b
pass:
  li s11, 1
  j finish

  .section .tohost, "aw"
  .balign 64
  .globl tohost
  .type tohost, @object
  .size tohost, 8
tohost:
  .dword 0
  .balign 64
  .globl fromhost
  .type fromhost, @object
  .size fromhost, 8
fromhost:
  .dword 0

  .section .data
  .balign 64
trap_log:
  .zero 64

  .text

.macro number n
  li s11, \n
.endm

.macro expect reg, value
  li t6, \value
  beq \reg, t6, 77f
  j fail
77:
.endm

.macro expect_equal a, b
  beq \a, \b, 77f
  j fail
77:
.endm

.macro expect_log field, value
  ld t5, \field(s10)
  expect t5, \value
.endm

.macro expect_log_reg field, reg
  ld t5, \field(s10)
  expect_equal t5, \reg
.endm

.macro expect_log_label field, label
  la t6, \label
  ld t5, \field(s10)
  expect_equal t5, t6
.endm

/* One instruction in M-mode must trap; its address must be in mepc. */
.macro expect_trap cause, insn:vararg
  la t6, 79f
  sd t6, LOG_RESUME(s10)
78:
  \insn
  j fail
79:
  la t6, 78b
  ld t5, LOG_EPC(s10)
  expect_equal t5, t6
  expect_log LOG_CAUSE, \cause
.endm

/* Sets mstatus.MPP. */
.macro set_mpp mode
  li t6, MSTATUS_MPP
  csrc mstatus, t6
  li t6, \mode << 11
  csrs mstatus, t6
.endm

/* Runs the code at \label in a lower mode until it traps into M-mode; goes on after the macro. */
.macro run_in mode, label
  set_mpp \mode
  la t6, 79f
  sd t6, LOG_RESUME(s10)
  la t6, \label
  csrw mepc, t6
  li t6, MSTATUS_MPIE
  csrc mstatus, t6
  mret
79:
.endm

/* A load or store executed in M-mode with the rights and the translation of a lower mode. */
.macro as_mode mode, insn:vararg
  set_mpp \mode
  li t6, MSTATUS_MPRV
  csrs mstatus, t6
  \insn
  li t6, MSTATUS_MPRV
  csrc mstatus, t6
.endm

/* The same, and it must trap; t5 and t6 are lost, the trap cleared nothing in mstatus but MPRV's use. */
.macro expect_trap_as mode, cause, insn:vararg
  la t6, 79f
  sd t6, LOG_RESUME(s10)
  set_mpp \mode
  li t6, MSTATUS_MPRV
  csrs mstatus, t6
  \insn
  li t6, MSTATUS_MPRV
  csrc mstatus, t6
  j fail
79:
  li t6, MSTATUS_MPRV
  csrc mstatus, t6
  expect_log LOG_CAUSE, \cause
.endm
