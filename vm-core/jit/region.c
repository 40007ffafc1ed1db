#include "jit/region.h"

#include <string.h>

#include "interp/build.h"

/* Code is known to have run once blocks run often before they are translated. */
enum { WEIGHT_MAX = 512, TELLING_COUNT = 32, RARE = 16 };

static bool is_leader(const struct region *region, unsigned offset) {
  return region->leader[offset >> 7] >> (offset >> 1 & 63) & 1;
}

static void mark_leader(struct region *region, unsigned offset) {
  region->leader[offset >> 7] |= BIT(offset >> 1 & 63);
}

static bool is_translated(const struct region *region, unsigned offset) {
  return region->page->native[offset >> 1] != region->store->translator.no_native[offset >> 1];
}

/* Often enough that translating it will pay. */
static bool has_run(const struct region *region, unsigned offset) {
  const struct code_page *page = region->page;
  const struct block_translator *translator = &region->store->translator;
  if (translator->hot_after < TELLING_COUNT || is_translated(region, offset)) return true;
  const struct block *block = page->slot[offset >> 1];
  if (!block) return offset == LAST_PARCEL && page->cross;
  if (block->ops->fn != translator->hot) return true;
  return translator->hot_after - block->ops->imm >= translator->hot_after / RARE;
}

static void add_leader(struct region *region, int64_t offset) {
  if (offset < 0 || offset >= PAGE_SIZE || is_leader(region, (unsigned)offset)) return;
  if (region->pending_count == REGION_MAX_NODES || !has_run(region, (unsigned)offset)) return;
  mark_leader(region, (unsigned)offset);
  region->pending[region->pending_count++] = (uint16_t)offset;
}

int64_t region_target(const struct region_insn *at) { return at->offset + at->insn.imm; }

static bool ends_node(const struct insn *insn) {
  return insn->id == INSN_ILLEGAL || (insn_table[insn->id].flags & INSN_END);
}

static void add_successors(struct region *region, const struct region_insn *at) {
  const struct insn *insn = &at->insn;
  unsigned next = at->offset + insn->length;
  if (insn->id == INSN_ILLEGAL) return;
  if (insn_table[insn->id].format == FORMAT_B) {
    add_leader(region, next);
    add_leader(region, region_target(at));
  } else if (insn->id == INSN_jal) {
    add_leader(region, insn->rd ? next : region_target(at)); /* what is called is a region of its own */
  } else if (insn->id == INSN_jalr && insn->rd) {
    add_leader(region, next);
  }
}

/* What the last two bytes begin, as the interpreter found it last: machine code makes sure that it still goes
 * on so. It is a node of its own. false: it has not run, or nothing else on the page it goes on in. */
static bool find_across(struct region *region, uint32_t *word) {
  const struct code_page *page = region->page;
  if (!page->cross || !region->store->pages[page->cross_number]) return false;
  *word = page->cross_raw;
  mark_leader(region, LAST_PARCEL);
  return true;
}

/* Decodes one instruction; false: the region does not go on here. */
static bool decode_at(struct region *region, const uint8_t *page, unsigned offset) {
  const struct block_store *store = region->store;
  if (region->insn_count == REGION_MAX_INSNS || block_breakpoint_at(store, offset)) return false;
  uint32_t word = *(const uint16_t *)(page + offset);
  if ((word & 3) == 3 && offset < LAST_PARCEL)
    word |= (uint32_t) * (const uint16_t *)(page + offset + 2) << 16;
  else if ((word & 3) == 3 && !find_across(region, &word))
    return false;
  struct region_insn *at = &region->insns[region->insn_count++];
  *at =
      (struct region_insn){.insn = insn_decode(&store->index, word), .offset = (uint16_t)offset, .weight = 1};
  region->insn_at[offset >> 1] = (uint16_t)region->insn_count;
  return true;
}

static void walk(struct region *region, const uint8_t *page, unsigned offset) {
  while (offset < PAGE_SIZE) {
    if (region->insn_at[offset >> 1]) {
      mark_leader(region, offset);
      return;
    }
    if (!decode_at(region, page, offset)) return;
    const struct region_insn *at = &region->insns[region->insn_count - 1];
    if (ends_node(&at->insn)) {
      add_successors(region, at);
      return;
    }
    offset += at->insn.length;
  }
}

/* Instructions between the target of a backward branch and the branch run
 * often. */
static void weigh(struct region *region) {
  for (unsigned i = 0; i < region->insn_count; i++) {
    const struct region_insn *at = &region->insns[i];
    if (!ends_node(&at->insn) || at->insn.id == INSN_ILLEGAL || at->insn.id == INSN_jalr) continue;
    bool jumps = insn_table[at->insn.id].format == FORMAT_B || (at->insn.id == INSN_jal && !at->insn.rd);
    if (!jumps || at->insn.imm > 0) continue;
    for (unsigned k = 0; k < region->insn_count; k++) {
      struct region_insn *in = &region->insns[k];
      if (in->offset >= region_target(at) && in->offset <= at->offset && in->weight < WEIGHT_MAX)
        in->weight *= 8;
    }
  }
}

/* Collects a node's instructions; returns where the next piece of a long run
 * begins, or -1. */
static int fill_node(struct region *region, struct region_node *node, unsigned offset) {
  node->offset = (uint16_t)offset;
  node->count = node->path = 0;
  node->header = false;
  do {
    unsigned index = region->insn_at[offset >> 1] - 1u;
    const struct insn *insn = &region->insns[index].insn;
    node->insn[node->count++] = (uint16_t)index;
    offset += insn->length;
    node->ends = ends_node(insn);
    node->next = (uint16_t)offset;
    node->crosses = offset > PAGE_SIZE;
    if (node->ends || offset >= PAGE_SIZE || !region->insn_at[offset >> 1]) return -1;
    if (is_leader(region, offset)) return -1;
  } while (node->count < BLOCK_MAX_INSNS);
  return (int)offset;
}

static void make_nodes(struct region *region) {
  for (unsigned slot = 0; slot < PAGE_SLOTS; slot++) {
    unsigned offset = slot * 2;
    if (!is_leader(region, offset) || !region->insn_at[slot]) continue;
    if (region->node_count == REGION_MAX_NODES) return;
    int more = fill_node(region, &region->nodes[region->node_count++], offset);
    region->node_at[slot] = (uint16_t)region->node_count;
    if (more >= 0) mark_leader(region, (unsigned)more);
  }
}

unsigned region_successors(const struct region *region, const struct region_node *node, int successor[2]) {
  const struct region_insn *last = &region->insns[node->insn[node->count - 1]];
  int64_t to[2] = {node->next, -1};
  if (node->ends) {
    bool conditional = last->insn.id != INSN_ILLEGAL && insn_table[last->insn.id].format == FORMAT_B;
    if (!conditional) to[0] = -1;
    if (conditional || last->insn.id == INSN_jal) to[1] = region_target(last);
  }
  unsigned count = 0;
  for (unsigned i = 0; i < 2; i++) {
    int found = region_node_at(region, to[i]);
    if (found >= 0) successor[count++] = found;
  }
  return count;
}

static bool is_jump(const struct region *region, const struct region_node *node) {
  return region->insns[node->insn[node->count - 1]].insn.id == INSN_jal;
}

/* Nodes are in order of offset: an edge to an earlier one, or itself, leads back. A jump looks at the budget
 * before it does, so that code behind a loop's end that is rarely needed and jumps back into the middle of it
 * costs nothing there. What follows a loop of one node looks for itself: each turn of the loop, which then
 * has to look no further than its own end, costs less. */
static void find_paths(struct region *region) {
  int to[2];
  for (unsigned i = 0; i < region->node_count; i++) {
    if (is_jump(region, &region->nodes[i])) continue;
    unsigned count = region_successors(region, &region->nodes[i], to);
    for (unsigned k = 0; k < count; k++) {
      if (to[k] <= (int)i) region->nodes[to[k]].header = true;
      if (to[k] == (int)i && count == 2) region->nodes[to[1 - k]].header = true;
    }
  }
  for (unsigned i = region->node_count; i-- > 0;) {
    struct region_node *node = &region->nodes[i];
    unsigned longest = 0, count = region_successors(region, node, to);
    for (unsigned k = 0; k < count; k++) {
      const struct region_node *next = &region->nodes[to[k]];
      if (to[k] > (int)i && !next->header && next->path > longest) longest = next->path;
    }
    node->path = (uint16_t)(node->count + longest);
  }
}

/* Nodes that are not translated, and those from which a way leads to one. */
static void find_needed(const struct region *region, bool needed[REGION_MAX_NODES]) {
  int to[2];
  for (unsigned i = 0; i < region->node_count; i++)
    needed[i] = !is_translated(region, region->nodes[i].offset);
  for (bool changed = true; changed;) {
    changed = false;
    for (unsigned i = region->node_count; i-- > 0;) {
      unsigned count = needed[i] ? 0 : region_successors(region, &region->nodes[i], to);
      for (unsigned k = 0; k < count; k++) changed |= needed[i] |= needed[to[k]];
    }
  }
}

static void leave_out_translated(struct region *region) {
  bool needed[REGION_MAX_NODES];
  unsigned kept = 0;
  find_needed(region, needed);
  for (unsigned i = 0; i < region->node_count; i++) {
    struct region_node *node = &region->nodes[i];
    unsigned slot = node->offset >> 1;
    region->node_at[slot] = 0;
    if (!needed[i]) {
      for (unsigned k = 0; k < node->count; k++) region->insns[node->insn[k]].weight = 0;
      continue;
    }
    if (kept < i) region->nodes[kept] = *node;
    region->node_at[slot] = (uint16_t)++kept;
  }
  region->node_count = kept;
}

bool region_discover(struct region *region, const struct block_store *store, const struct code_page *page,
                     const uint8_t *bytes, unsigned offset) {
  memset(region, 0, offsetof(struct region, insns));
  region->page = page;
  region->store = store;
  mark_leader(region, offset);
  region->pending[region->pending_count++] = (uint16_t)offset;
  for (unsigned i = 0; i < region->pending_count; i++) walk(region, bytes, region->pending[i]);
  make_nodes(region);
  leave_out_translated(region);
  weigh(region);
  find_paths(region);
  return region_node_at(region, offset) >= 0;
}
