/* Integer loads and stores. The probe's mask keeps the low address bits, so a misaligned address never hits.
 */
#include "interp/ops.h"

static bool slow_load(struct hart *hart, const struct op *op, uint64_t va, unsigned size) {
  hart->pending = op->left;
  bool ok = mem_load(hart, va, size);
  hart->pending = 0;
  return ok;
}

static bool slow_store(struct hart *hart, const struct op *op, uint64_t va, unsigned size, uint64_t value) {
  hart->pending = op->left;
  bool ok = mem_store(hart, va, size, value);
  hart->pending = 0;
  return ok;
}

/* The slow path is a function of its own so that the fast one needs no stack frame. */
#define LOAD_OP(name, type, destination, convert, guard, after)                                              \
  static __attribute__((noinline)) const struct block *slow_##name(struct hart *hart, const struct op *op) { \
    if (unlikely(!slow_load(hart, op, RS1 + IMM, sizeof(type)))) return op_trap(hart, op);                   \
    destination = convert((type)hart->load_value);                                                           \
    after;                                                                                                   \
    if (unlikely(hart->leave)) return op_leave(hart, op);                                                    \
    NEXT;                                                                                                    \
  }                                                                                                          \
  OP(name) {                                                                                                 \
    guard;                                                                                                   \
    uint64_t va = RS1 + IMM;                                                                                 \
    const struct tlb_entry *entry = &hart->tlb_data->read[tlb_index(va)];                                    \
    if (unlikely((va & (PAGE_MASK | (sizeof(type) - 1))) != entry->tag)) return slow_##name(hart, op);       \
    destination = convert(*(const type *)(va + entry->addend));                                              \
    after;                                                                                                   \
    NEXT;                                                                                                    \
  }                                                                                                          \
  _Static_assert(1, "")

#define STORE_OP(name, type, source, guard)                                                                  \
  static __attribute__((noinline)) const struct block *slow_##name(struct hart *hart, const struct op *op) { \
    if (unlikely(!slow_store(hart, op, RS1 + IMM, sizeof(type), source))) return op_trap(hart, op);          \
    if (unlikely(hart->leave)) return op_leave(hart, op);                                                    \
    NEXT;                                                                                                    \
  }                                                                                                          \
  OP(name) {                                                                                                 \
    guard;                                                                                                   \
    uint64_t va = RS1 + IMM;                                                                                 \
    const struct tlb_entry *entry = &hart->tlb_data->write[tlb_index(va)];                                   \
    if (unlikely((va & (PAGE_MASK | (sizeof(type) - 1))) != entry->tag)) return slow_##name(hart, op);       \
    *(type *)(va + entry->addend) = (type)source;                                                            \
    NEXT;                                                                                                    \
  }                                                                                                          \
  _Static_assert(1, "")

#define SIGNED(value) (uint64_t)(int64_t)(value)
LOAD_OP(lb, int8_t, RD, SIGNED, , );
LOAD_OP(lh, int16_t, RD, SIGNED, , );
LOAD_OP(lw, int32_t, RD, SIGNED, , );
LOAD_OP(ld, uint64_t, RD, , , );
LOAD_OP(lbu, uint8_t, RD, , , );
LOAD_OP(lhu, uint16_t, RD, , , );
LOAD_OP(lwu, uint32_t, RD, , , );

STORE_OP(sb, uint8_t, RS2, );
STORE_OP(sh, uint16_t, RS2, );
STORE_OP(sw, uint32_t, RS2, );
STORE_OP(sd, uint64_t, RS2, );

/* Floating point: refused while mstatus.FS is Off; a load makes it Dirty. */
#define FP_ON                                                                                                \
  if (unlikely(!(hart->csr.mstatus & MSTATUS_FS))) return op_illegal(hart, op)
#define FP_DIRTY     hart->csr.mstatus |= MSTATUS_FS
#define BOXED(value) (UINT64_C(0xffffffff00000000) | (value))
LOAD_OP(flw, uint32_t, hart->f[op->rd], BOXED, FP_ON, FP_DIRTY);
LOAD_OP(fld, uint64_t, hart->f[op->rd], , FP_ON, FP_DIRTY);
STORE_OP(fsw, uint32_t, hart->f[op->rs2], FP_ON);
STORE_OP(fsd, uint64_t, hart->f[op->rs2], FP_ON);
