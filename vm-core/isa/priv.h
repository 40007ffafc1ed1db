/* Numbers of the privileged architecture (Privileged ISA 20240411), used by every module above isa. */
#ifndef ISA_PRIV_H
#define ISA_PRIV_H

#include "base/bits.h"

enum priv { PRIV_U = 0, PRIV_S = 1, PRIV_M = 3 };

/* Exception codes: mcause without the interrupt bit. */
enum cause {
  CAUSE_FETCH_MISALIGNED = 0,
  CAUSE_FETCH_ACCESS = 1,
  CAUSE_ILLEGAL = 2,
  CAUSE_BREAKPOINT = 3,
  CAUSE_LOAD_MISALIGNED = 4,
  CAUSE_LOAD_ACCESS = 5,
  CAUSE_STORE_MISALIGNED = 6,
  CAUSE_STORE_ACCESS = 7,
  CAUSE_ECALL_U = 8,
  CAUSE_ECALL_S = 9,
  CAUSE_ECALL_M = 11,
  CAUSE_FETCH_PAGE = 12,
  CAUSE_LOAD_PAGE = 13,
  CAUSE_STORE_PAGE = 15,
};
#define CAUSE_INTERRUPT BIT(63)

/* Bit numbers in mip and mie; also interrupt causes. */
enum irq { IRQ_SSI = 1, IRQ_MSI = 3, IRQ_STI = 5, IRQ_MTI = 7, IRQ_SEI = 9, IRQ_MEI = 11 };
#define MIP_S_MASK (BIT(IRQ_SSI) | BIT(IRQ_STI) | BIT(IRQ_SEI))
#define MIP_M_MASK (BIT(IRQ_MSI) | BIT(IRQ_MTI) | BIT(IRQ_MEI))

#define MSTATUS_SIE       BIT(1)
#define MSTATUS_MIE       BIT(3)
#define MSTATUS_SPIE      BIT(5)
#define MSTATUS_MPIE      BIT(7)
#define MSTATUS_SPP       BIT(8)
#define MSTATUS_MPP_SHIFT 11
#define MSTATUS_MPP       (UINT64_C(3) << MSTATUS_MPP_SHIFT)
#define MSTATUS_FS        (UINT64_C(3) << 13)
#define MSTATUS_MPRV      BIT(17)
#define MSTATUS_SUM       BIT(18)
#define MSTATUS_MXR       BIT(19)
#define MSTATUS_TVM       BIT(20)
#define MSTATUS_TW        BIT(21)
#define MSTATUS_TSR       BIT(22)
#define MSTATUS_UXL       (UINT64_C(2) << 32) /* hard-wired: 64-bit */
#define MSTATUS_SXL       (UINT64_C(2) << 34)
#define MSTATUS_SD        BIT(63)
/* The part of mstatus that sstatus shows. */
#define SSTATUS_MASK                                                                                         \
  (MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_FS | MSTATUS_SUM | MSTATUS_MXR | MSTATUS_UXL |         \
   MSTATUS_SD)

#define ENVCFG_FIOM  BIT(0)
#define ENVCFG_CBIE  (UINT64_C(3) << 4)
#define ENVCFG_CBCFE BIT(6)
#define ENVCFG_CBZE  BIT(7)
#define ENVCFG_ADUE  BIT(61)
#define ENVCFG_PBMTE BIT(62)
#define ENVCFG_STCE  BIT(63)

enum { SATP_ASID_SHIFT = 44 };
enum satp_mode { SATP_BARE = 0, SATP_SV39 = 8, SATP_SV48 = 9 };

#define PTE_V        BIT(0)
#define PTE_R        BIT(1)
#define PTE_W        BIT(2)
#define PTE_X        BIT(3)
#define PTE_U        BIT(4)
#define PTE_G        BIT(5)
#define PTE_A        BIT(6)
#define PTE_D        BIT(7)
#define PTE_PBMT     (UINT64_C(3) << 61)
#define PTE_N        BIT(63)
#define PTE_RESERVED (UINT64_C(0x7f) << 54)
#define PTE_PPN(pte) bits(pte, 53, 10)

enum { PAGE_SHIFT = 12, PAGE_SIZE = 4096 };
#define PAGE_MASK (~UINT64_C(0xfff))

#endif
