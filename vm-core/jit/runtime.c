#include <stdlib.h>
#include <string.h>

#include "hart/csr.h"
#include "interp/ops.h"
#include "jit/emit.h"

const struct block jit_continue;

static const struct block *op_go(struct hart *hart, const struct op *op) {
  (void)op;
  return jump_to(hart, hart->pc);
}

#define GO(why) [why] = {.fn = op_go, .imm = why}
const struct op jit_go_op[JIT_EXIT_LOOKUP + 1] = {GO(JIT_EXIT_UNTRANSLATED), GO(JIT_EXIT_BUDGET),
                                                  GO(JIT_EXIT_LOOKUP)};

/* Machine code for a virtual address, remembered for the next jump; NULL, with hart->pc set: there is none
 * yet, or a fetch exception was raised. With no budget left nothing is fetched, not even to find that it
 * cannot be: what happens at this instant comes before it. A walk leaves traces, so the hart does not stop
 * after it. */
const void *jit_find(struct hart *hart, uint64_t va) {
  hart->jit->counters.lookups++;
  hart->pc = va;
  hart->fetching = hart->budget > 0;
  if (!hart->fetching) return NULL;
  const struct code_page *page = block_page(hart->jit->store, va);
  if (!page) return NULL;
  const void *native = page->native[(va & ~PAGE_MASK) >> 1];
  if (native == (const void *)hart->jit->stubs.miss) return NULL;
  hart->code_page = va & PAGE_MASK;
  tlb_fill_jump(hart, va, native);
  return native;
}

sljit_sw jit_refill(struct hart *hart, uint64_t va, sljit_sw access) {
  hart->jit->counters.refills++;
  return mem_refill(hart, va, (unsigned)(access < 0 ? -access : access), access < 0);
}

sljit_sw jit_status(struct hart *hart, uint64_t source, sljit_sw action) {
  if (!csr_change_sstatus(hart, (enum csr_action)action, source)) return 0;
  float_status(hart);
  return 1;
}

const struct block *jit_op_return(struct hart *hart, const struct op *op) {
  float_return(hart, op->imm);
  return &jit_continue;
}

/* Why machine code returned `next`. */
static enum jit_exit exit_reason(const struct hart *hart, const struct op *next) {
  if (next && next->fn == op_go) {
    if (next->imm != JIT_EXIT_LOOKUP) return (enum jit_exit)next->imm;
    if (hart->trap.raised) return JIT_EXIT_FETCH;
    return hart->budget > 0 ? JIT_EXIT_LOOKUP : JIT_EXIT_BUDGET;
  }
  if (next && next->fn == op_ecall) return JIT_EXIT_ECALL;
  if (next && (next->fn == op_sret || next->fn == op_mret)) return JIT_EXIT_XRET;
  if (next || hart->trap.raised) return JIT_EXIT_TRAP; /* ops that end a node can nothing else */
  if (hart->jit->rewritten) return JIT_EXIT_REWRITE;
  if (hart->waiting) return JIT_EXIT_WFI;
  return hart->leave ? JIT_EXIT_CONTEXT : JIT_EXIT_FENCE; /* fences leave without asking for more */
}

/* The budget has been charged for the block; machine code charges it itself, and begins when there are `imm`.
 */
const struct block *jit_op_native(struct hart *hart, const struct op *op) {
  struct jit *jit = hart->jit;
  if (unlikely(hart->budget + op->left < op->imm)) NEXT; /* machine code would not begin */
  hart->budget += op->left;
  float_enter(hart);
  jit->rewritten = false;
  int64_t before = hart->budget;
  const struct op *next = jit->stubs.enter(hart, hart->block->page->native[op->offset >> 1]);
  if (hart->fp_armed) float_leave(hart);
  jit->counters.insns += (uint64_t)(before - hart->budget);
  jit->counters.entries++;
  jit->counters.exits[exit_reason(hart, next)]++;
  if (unlikely(next && next->fn == op_go &&
               hart->budget == before)) { /* it did not begin: never try again and again */
    hart->budget -= op->left;
    NEXT;
  }
  return next ? next->fn(hart, next) : NULL;
}

const struct block *jit_op_hot(struct hart *hart, const struct op *op) {
  struct op *count = (struct op *)(uintptr_t)op; /* blocks are in writable memory */
  if (likely(--count->imm > 0)) NEXT;
  struct jit *jit = hart->jit;
  struct code_page *page = hart->block->page;
  if (page->native[op->offset >> 1] == (void *)jit->stubs.miss && !jit_compile(jit, page, op->offset)) {
    count->imm = INT64_MAX;
    NEXT;
  }
  if (count->fn != jit_op_native) {
    count->fn = jit_op_native;
    count->imm = REGION_MAX_INSNS;
  }
  return jit_op_native(hart, op);
}

static void drop_page(void *opaque, struct code_page *page) {
  struct jit *jit = opaque;
  jit->rewritten = true;
  if (page->native == jit->no_native) return;
  free(page->native);
  page->native = jit->no_native;
  jit->counters.drops++;
  tlb_drop_jumps_to(jit->hart, page);
}

static void drop_all(void *opaque) {
  struct jit *jit = opaque;
  struct block_store *store = jit->store;
  for (uint64_t i = 0; i < store->live_count; i++) drop_page(jit, store->pages[store->live[i]]);
  code_cache_clear(&jit->cache);
}

static uint64_t setting(const char *name, uint64_t otherwise, uint64_t least) {
  const char *text = getenv(name);
  uint64_t value = text ? strtoull(text, NULL, 0) : otherwise;
  return value < least ? least : value;
}

enum { HOT_AFTER = 256, CACHE_BYTES = 64 << 20, CACHE_LEAST = 256 << 10 };

struct jit *jit_create(struct block_store *store, const char **error) {
  *error = "not enough memory for the JIT";
  struct jit *jit = calloc(1, sizeof *jit);
  if (!jit) return NULL;
  jit->hart = store->hart;
  jit->store = store;
  jit->host_flags = float_host_flags() && !getenv("LINUXSQL_JIT_NO_HOST_FLAGS");
  same_find(jit);
  jit->region = malloc(sizeof *jit->region);
  jit->emitter = malloc(sizeof *jit->emitter);
  size_t bytes = setting("LINUXSQL_JIT_CACHE", CACHE_BYTES, CACHE_LEAST) & ~(size_t)0xfff;
  if (!jit->region || !jit->emitter || !scratch_init(&jit->scratch) ||
      !code_cache_init(&jit->cache, bytes, STUBS_BYTES) || !stubs_build(jit)) {
    jit_destroy(jit);
    return NULL;
  }
  jit->cache.sparing = getenv("LINUXSQL_JIT_EVICT") != NULL;
  const char *dump = getenv("LINUXSQL_JIT_DUMP");
  if (dump) jit->dump = fopen(dump, "we");
  for (unsigned i = 0; i < PAGE_SLOTS; i++) jit->no_native[i] = (void *)jit->stubs.miss;
  store->translator =
      (struct block_translator){.hot = jit_op_hot,
                                .hot_after = (int64_t)setting("LINUXSQL_JIT_THRESHOLD", HOT_AFTER, 1),
                                .no_native = jit->no_native,
                                .drop_page = drop_page,
                                .drop_all = drop_all,
                                .opaque = jit};
  store->hart->jit = jit;
  return jit;
}

void jit_destroy(struct jit *jit) {
  if (!jit) return;
  if (jit->store->translator.opaque == jit) {
    drop_all(jit);
    memset(&jit->store->translator, 0, sizeof jit->store->translator);
    jit->hart->jit = NULL;
  }
  code_cache_destroy(&jit->cache);
  scratch_destroy(&jit->scratch);
  if (jit->dump) fclose(jit->dump);
  free(jit->region);
  free(jit->emitter);
  free(jit);
}

const struct jit_counters *jit_counters(const struct jit *jit) { return &jit->counters; }
