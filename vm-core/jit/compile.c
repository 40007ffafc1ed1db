#include <stdlib.h>
#include <string.h>

#include "interp/build.h"
#include "jit/dump.h"

/* sljit counts code in bytes on x86, in instructions elsewhere. */
enum { CODE_UNIT = HOST_X86 ? 1 : 4 };

static void lower(struct emitter *e, const struct region_insn *at, bool last) {
  if (at->insn.id == INSN_ILLEGAL) {
    exit_with_op(e, side_op(e, at));
    return;
  }
  if (lower_integer(e, at) || lower_memory(e, at)) return;
  if (e->jit->host_flags && lower_sse(e, at)) return;
  e->cached = -1;
  windows_forget(e);
  if (last && lower_jump(e, at)) return;
  if (last && e->node->ends) {
    exit_with_op(e, side_op(e, at));
    return;
  }
  if (lower_system(e, at)) {
    e->float_known = FLOAT_UNKNOWN;
    return;
  }
  if (lower_multiply(e, at) || lower_bits(e, at) || lower_atomic(e, at)) return;
  if (!e->jit->host_flags && lower_float(e, at)) return;
  call_op(e, side_op(e, at));
  e->float_known = FLOAT_UNKNOWN;
  e->boxed = 0;
}

/* With labels: slow code, which begins where instruction `from` is prepared. */
static void lower_rest(struct emitter *e, unsigned from, struct sljit_label **labels,
                       struct register_state *states) {
  const struct region_node *node = e->node;
  e->done = 0;
  float_begin_node(e);
  for (e->index = from; e->index < node->count; e->index++) {
    bool done = e->index && e->index == e->done;
    if (!done && (!labels || e->index > from)) registers_prepare(e, e->index);
    if (labels) labels[e->index] = sljit_emit_label(e->c);
    if (labels) states[e->index] = e->now;
    if (!done) lower(e, &e->region->insns[node->insn[e->index]], e->index + 1 == node->count);
    registers_done(e);
  }
  if (!node->ends) exit_at_end(e, node->next);
}

/* Where other regions and the interpreter come in. Every way through the region passes a check for all it may
 * execute until the next one: where it is entered, at nodes branches lead back to, and before jumps that lead
 * back.
 */
static void enter_node(struct emitter *e, unsigned index) {
  const struct region_node *node = &e->region->nodes[index];
  e->entry[index] = sljit_emit_label(e->c);
  if (!node->header) check_budget(e, node, COLD_ENTRY);
  edges_come(e, index);
}

static void lower_node(struct emitter *e, unsigned index) {
  const struct region_node *node = &e->region->nodes[index];
  e->node = node;
  e->node_index = index;
  e->fast = true;
  e->cached = -1;
  windows_plan(e);
  uses_begin_node(e);
  bool falls = e->falls;
  edges_enter(e, index);
  if (!falls) enter_node(e, index); /* it needs no jump */
  e->label[index] = sljit_emit_label(e->c);
  charge_node(e);
  lower_rest(e, 0, NULL, NULL);
}

/* The slow code of every node with failing probes, from the first of them on;
 * e->slow is in their order. */
static void lower_slow(struct emitter *e) {
  e->fast = false;
  for (unsigned i = 0; i < e->slow_count;) {
    struct sljit_label *labels[BLOCK_MAX_INSNS];
    struct register_state states[BLOCK_MAX_INSNS];
    e->node_index = e->slow[i].node;
    e->node = &e->region->nodes[e->node_index];
    e->cached = -1;
    e->now = e->slow[i].state;
    e->fresh = e->slow[i].fresh;
    memcpy(e->last, e->slow[i].last, sizeof e->last);
    uses_begin_node(e);
    lower_rest(e, e->slow[i].index, labels, states);
    for (; i < e->slow_count && e->slow[i].node == e->node_index; i++) {
      unsigned index = e->slow[i].index;
      sljit_set_label(e->slow[i].jump, labels[index]);
      e->failed |= !!memcmp(&states[index], &e->slow[i].state, sizeof states[index]);
    }
  }
}

static void entries(struct emitter *e) {
  for (unsigned i = 0; i < e->region->node_count; i++) {
    if (e->entry[i]) continue;
    if (edges_plain(e, i) && e->region->nodes[i].header) {
      e->entry[i] = e->label[i];
      continue;
    }
    enter_node(e, i);
    sljit_set_label(sljit_emit_jump(e->c, SLJIT_JUMP), e->label[i]);
  }
}

static void lower_region(struct emitter *e) {
  sljit_set_context(e->c, HOST_ENTER);
  for (unsigned i = 0; i < e->region->node_count; i++)
    if (!e->moved[i]) lower_node(e, i);
  e->late = true;
  for (unsigned i = 0; i < e->region->node_count; i++)
    if (e->moved[i]) lower_node(e, i);
  e->part[0] = sljit_emit_label(e->c);
  edges_finish(e);
  e->part[1] = sljit_emit_label(e->c);
  site_misses(e);
  e->part[2] = sljit_emit_label(e->c);
  entries(e);
  e->part[3] = sljit_emit_label(e->c);
  lower_slow(e);
  edges_finish(e);
  e->part[4] = sljit_emit_label(e->c);
  cold_code(e);
}

static struct block *block_of(const struct code_page *page, unsigned offset) {
  const struct block *block = page->slot[offset >> 1];
  return block || offset < LAST_PARCEL ? (struct block *)(uintptr_t)block : page->cross;
}

static void unlink_entry(void *opaque, const struct code_region *region, const struct code_segment *segment) {
  struct jit *jit = opaque;
  struct code_page *page = region->page;
  jit->counters.evictions++;
  tlb_drop_jumps(jit->hart);
  for (unsigned i = 0; i < region->entry_count; i++) {
    unsigned slot = region->entry[i] >> 1;
    if (page->native == jit->no_native || !code_in_segment(&jit->cache, segment, page->native[slot]))
      continue;
    page->native[slot] = (void *)jit->stubs.miss;
    struct block *block = block_of(page, region->entry[i]);
    if (!block || block->ops->fn != jit_op_native) continue;
    block->ops->fn = jit_op_hot;
    block->ops->imm = jit->store->translator.hot_after;
  }
}

/* From now on the interpreter's blocks and other regions lead here. */
static void publish(struct emitter *e, struct code_region *made) {
  struct code_page *page = e->page;
  for (unsigned i = 0; i < e->region->node_count; i++) {
    const struct region_node *node = &e->region->nodes[i];
    unsigned slot = node->offset >> 1;
    unsigned end = node->crosses ? PAGE_SIZE : node->next;
    block_cover(page, node->offset, end - node->offset);
    page->native[slot] = (void *)sljit_get_label_addr(e->entry[i]);
    made->entry[made->entry_count++] = node->offset;
    struct block *block = block_of(page, node->offset);
    if (!block || (block->ops->fn != jit_op_hot && block->ops->fn != jit_op_native)) continue;
    block->ops->fn = jit_op_native;
    block->ops->imm = node->path;
  }
}

static struct code_region *region_new(const struct emitter *e) {
  struct code_region *made = calloc(1, sizeof *made + e->region->node_count * sizeof *made->entry);
  if (made) *made = (struct code_region){.page = e->page, .sides = e->sides};
  return made;
}

/* Bytes to leave out, so that a region's fast code lies in one page when it fits: an emulator of this host
 * translates by the page, as this one does. Jumps are counted longer than they become. */
static size_t padding(const struct emitter *e, const struct code_segment *segment) {
  size_t fast = e->part[0]->size * CODE_UNIT * 3 / 4, left = PAGE_SIZE - segment->used % PAGE_SIZE;
  return HOST_RISCV && left < (fast < PAGE_SIZE ? fast : PAGE_SIZE / 2) ? left : 0;
}

static bool generate(struct emitter *e) {
  struct jit *jit = e->jit;
  if (sljit_get_compiler_error(e->c)) return false;
  size_t bytes = (e->c->size + 64) * CODE_UNIT + (HOST_RISCV ? PAGE_SIZE : 0);
  struct code_segment *segment = code_cache_room(&jit->cache, bytes, unlink_entry, jit);
  struct code_region *made = segment ? region_new(e) : NULL;
  if (!made) return false;
  segment->used += padding(e, segment);
  struct sljit_generate_code_buffer buffer = {segment->start + segment->used, bytes, jit->cache.to_exec};
  if (!sljit_generate_code(e->c, SLJIT_GENERATE_CODE_BUFFER, &buffer)) {
    free(made);
    return false;
  }
  size_t used = sljit_get_generated_code_size(e->c);
  segment->used += (used + 15) & ~(size_t)15;
  made->next = segment->regions;
  segment->regions = made;
  jit->counters.compiles++;
  jit->counters.code_bytes += used;
  if (jit->dump) jit_dump(jit->dump, e, buffer.buffer, used);
  publish(e, made);
  return true;
}

/* The page's own table of entries. */
static bool page_table(struct jit *jit, struct code_page *page) {
  if (page->native != jit->no_native) return true;
  void **table = malloc(sizeof jit->no_native);
  if (!table) return false;
  memcpy(table, jit->no_native, sizeof jit->no_native);
  page->native = table;
  return true;
}

bool jit_compile(struct jit *jit, struct code_page *page, unsigned offset) {
  struct emitter *e = jit->emitter;
  memset(e, 0, offsetof(struct emitter, uses));
  const uint8_t *bytes = block_page_bytes(jit->store, page);
  bool ok = page_table(jit, page) && region_discover(jit->region, jit->store, page, bytes, offset);
  if (ok) {
    e->jit = jit;
    e->region = jit->region;
    e->page = page;
    jit->scratch.used = 0;
    e->c = sljit_create_compiler(&jit->scratch);
    ok = e->c != NULL;
  }
  if (ok) {
    registers_choose(e);
    sites_begin(e);
    lower_region(e);
    ok = !e->failed && generate(e);
  }
  if (!ok) jit->counters.failures++;
  if (!ok) side_ops_free(e->sides);
  return ok;
}
