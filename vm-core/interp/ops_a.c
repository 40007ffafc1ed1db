/* A: LR/SC and AMO. One hart: an AMO is a load, an operation and a store to a page known to be writable. A
 * misaligned address raises the address-misaligned exception of its kind; devices refuse with an access
 * fault. */
#include "interp/ops.h"

/* Host address for the atomic access, or NULL with the trap raised; hart->load_value gets the physical
 * address. */
static uint8_t *atomic_slow(struct hart *hart, const struct op *op, uint64_t va, unsigned size,
                            enum access access) {
  if (va & (size - 1)) {
    hart_raise(hart, access == ACCESS_LOAD ? CAUSE_LOAD_MISALIGNED : CAUSE_STORE_MISALIGNED, va);
    return NULL;
  }
  hart->pending = op->left;
  uint8_t *host = mem_atomic(hart, va, size, access, &hart->load_value);
  hart->pending = 0;
  return host;
}

static uint64_t host_to_gpa(const struct hart *hart, const uint8_t *host) {
  const struct phys *phys = hart->mmu->phys;
  return (uint64_t)(host - phys->ram) + phys->ram_base;
}

static const struct block *amo_done(struct hart *hart, const struct op *op, uint64_t gpa, unsigned size) {
  mem_stored(hart, gpa, size);
  if (unlikely(hart->leave)) return op_leave(hart, op);
  NEXT;
}

#define AMO(name, type, convert, expression)                                                                 \
  static __attribute__((noinline)) const struct block *slow_##name(struct hart *hart, const struct op *op) { \
    type *at = (type *)atomic_slow(hart, op, RS1, sizeof(type), ACCESS_STORE);                               \
    if (!at) return op_trap(hart, op);                                                                       \
    type a = *at, b = (type)RS2;                                                                             \
    *at = (type)(expression);                                                                                \
    RD = convert(a);                                                                                         \
    return amo_done(hart, op, hart->load_value, sizeof(type));                                               \
  }                                                                                                          \
  OP(name) {                                                                                                 \
    uint64_t va = RS1;                                                                                       \
    const struct tlb_entry *entry = &hart->tlb_data->write[tlb_index(va)];                                   \
    if (unlikely((va & (PAGE_MASK | (sizeof(type) - 1))) != entry->tag)) return slow_##name(hart, op);       \
    type *at = (type *)(va + entry->addend), a = *at, b = (type)RS2;                                         \
    *at = (type)(expression);                                                                                \
    RD = convert(a);                                                                                         \
    NEXT;                                                                                                    \
  }                                                                                                          \
  _Static_assert(1, "")

AMO(amoswap_w, uint32_t, word, b);
AMO(amoadd_w, uint32_t, word, a + b);
AMO(amoxor_w, uint32_t, word, a ^ b);
AMO(amoand_w, uint32_t, word, a &b);
AMO(amoor_w, uint32_t, word, a | b);
AMO(amomin_w, uint32_t, word, (int32_t)a < (int32_t)b ? a : b);
AMO(amomax_w, uint32_t, word, (int32_t)a > (int32_t)b ? a : b);
AMO(amominu_w, uint32_t, word, a < b ? a : b);
AMO(amomaxu_w, uint32_t, word, a > b ? a : b);
AMO(amoswap_d, uint64_t, , b);
AMO(amoadd_d, uint64_t, , a + b);
AMO(amoxor_d, uint64_t, , a ^ b);
AMO(amoand_d, uint64_t, , a &b);
AMO(amoor_d, uint64_t, , a | b);
AMO(amomin_d, uint64_t, , (int64_t)a < (int64_t)b ? a : b);
AMO(amomax_d, uint64_t, , (int64_t)a > (int64_t)b ? a : b);
AMO(amominu_d, uint64_t, , a < b ? a : b);
AMO(amomaxu_d, uint64_t, , a > b ? a : b);

static uint8_t *atomic_host(struct hart *hart, const struct op *op, const struct tlb_entry *entries,
                            uint64_t va, unsigned size, enum access access) {
  const struct tlb_entry *entry = &entries[tlb_index(va)];
  if (likely((va & (PAGE_MASK | (size - 1))) == entry->tag)) return (uint8_t *)(va + entry->addend);
  return atomic_slow(hart, op, va, size, access);
}

static uint8_t *load_reserved(struct hart *hart, const struct op *op, unsigned size) {
  uint8_t *host = atomic_host(hart, op, hart->tlb_data->read, RS1, size, ACCESS_LOAD);
  if (!host) return NULL;
  hart->reservation_valid = true;
  hart->reservation = host_to_gpa(hart, host);
  hart->reservation_size = (uint8_t)size;
  return host;
}

OP(lr_w) {
  const uint8_t *host = load_reserved(hart, op, 4);
  if (!host) return op_trap(hart, op);
  RD = word(*(const uint32_t *)host);
  if (unlikely(hart->leave)) return op_leave(hart, op);
  NEXT;
}

OP(lr_d) {
  const uint8_t *host = load_reserved(hart, op, 8);
  if (!host) return op_trap(hart, op);
  RD = *(const uint64_t *)host;
  if (unlikely(hart->leave)) return op_leave(hart, op);
  NEXT;
}

/* SC without a reservation fails without touching memory (only its alignment is checked); with one, it is a
 * store, and succeeds when address and width are those of the LR. */
static const struct block *store_conditional(struct hart *hart, const struct op *op, unsigned size) {
  uint64_t va = RS1;
  bool valid = hart->reservation_valid;
  if (!valid && !(va & (size - 1))) {
    RD = 1;
    NEXT;
  }
  uint8_t *host = atomic_host(hart, op, hart->tlb_data->write, va, size, ACCESS_STORE);
  if (!host) return op_trap(hart, op);
  uint64_t gpa = host_to_gpa(hart, host);
  hart->reservation_valid = false;
  if (gpa != hart->reservation || size != hart->reservation_size) {
    RD = 1;
    if (unlikely(hart->leave)) return op_leave(hart, op);
    NEXT;
  }
  if (size == 4)
    *(uint32_t *)host = (uint32_t)RS2;
  else
    *(uint64_t *)host = RS2;
  RD = 0;
  return amo_done(hart, op, gpa, size);
}

OP(sc_w) { return store_conditional(hart, op, 4); }
OP(sc_d) { return store_conditional(hart, op, 8); }
