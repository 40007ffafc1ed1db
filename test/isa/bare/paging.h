/*
 * Page tables of the translation tests: under Sv39, root → middle → leaf maps the first 512 virtual pages through the
 * 512 PTEs at `leaf`; page i starts at i << 12. Two data pages lie apart from each other in physical memory.
 */
  .section .data
  .balign 4096
root:
  .zero 4096
middle:
  .zero 4096
leaf:
  .zero 4096
page_a:
  .zero 4096
page_gap:
  .zero 4096
page_b:
  .zero 4096
  .text

/* reg = PTE of the page at \label with \flags */
.macro make_pte reg, label, flags
  la \reg, \label
  srli \reg, \reg, 2
  li t6, \flags
  or \reg, \reg, t6
.endm

.macro store_pte table, index, reg
  la t6, \table + (\index) * 8
  sd \reg, 0(t6)
  sfence.vma
.endm

/* Virtual page \index of the low 2 MiB = the page at \label; t5 and t6 are lost. */
.macro map_page index, label, flags
  make_pte t5, \label, \flags
  store_pte leaf, \index, t5
.endm

/* satp = Sv39, ASID 0, `root`; M-mode itself stays untranslated. */
.macro enable_sv39
  make_pte t5, middle, PTE_V
  store_pte root, 0, t5
  make_pte t5, leaf, PTE_V
  store_pte middle, 0, t5
  la t5, root
  srli t5, t5, 12
  li t6, 8 << 60
  or t5, t5, t6
  csrw satp, t5
  sfence.vma
.endm

/* Runs at a virtual address in a lower mode until it traps into M-mode. */
.macro run_at mode, address
  set_mpp \mode
  la t6, 79f
  sd t6, LOG_RESUME(s10)
  li t6, \address
  csrw mepc, t6
  li t6, MSTATUS_MPIE
  csrc mstatus, t6
  mret
79:
.endm
