/* Distances to next uses, for the allocator: backward over the region's graph. */
#include <string.h>

#include "jit/emit.h"

enum { ROUNDS_MAX = 8, CORE_AT_EXIT = 48 };

/* Integer registers an instruction reads (bits) and writes (*write, 0: none). */
static uint32_t uses(const struct insn *insn, uint8_t *write) {
  *write = 0;
  if (insn->id == INSN_ILLEGAL) return 0;
  uint32_t rs1 = 1u << insn->rs1, rs2 = 1u << insn->rs2;
  switch (insn_table[insn->id].format) {
  case FORMAT_R:
  case FORMAT_AMO: return *write = insn->rd, rs1 | rs2;
  case FORMAT_R1:
  case FORMAT_I:
  case FORMAT_L:
  case FORMAT_SH6:
  case FORMAT_SH5:
  case FORMAT_CSR:
  case FORMAT_LR: return *write = insn->rd, rs1;
  case FORMAT_U:
  case FORMAT_J:
  case FORMAT_CSRI:
  case FORMAT_FCMP:
  case FORMAT_FTOX:
  case FORMAT_FTOXRM: return *write = insn->rd, 0;
  case FORMAT_S:
  case FORMAT_B:
  case FORMAT_SFENCE: return rs1 | rs2;
  case FORMAT_CBO:
  case FORMAT_FL:
  case FORMAT_FS:
  case FORMAT_XTOF:
  case FORMAT_XTOFRM: return rs1;
  default: return 0;
  }
}

static uint16_t longer(uint16_t distance, unsigned by) {
  return distance + by < USE_FAR ? (uint16_t)(distance + by) : USE_FAR;
}

/* For all registers at once; written so that compilers use vectors. */
static void longer_all(uint16_t *to, const uint16_t *from, uint16_t by) {
  for (unsigned x = 0; x < 32; x++) {
    uint16_t sum = (uint16_t)(from[x] + by);
    to[x] = sum < from[x] ? USE_FAR : sum;
  }
}

static void nearer_all(uint16_t *to, const uint16_t *from) {
  for (unsigned x = 0; x < 32; x++) to[x] = from[x] < to[x] ? from[x] : to[x];
}

/* Ways on from a node, in the region or not. */
static unsigned ways(const struct region *region, const struct region_node *node) {
  const struct insn *last = &region->insns[node->insn[node->count - 1]].insn;
  if (!node->ends) return 1;
  if (last->id == INSN_ILLEGAL) return 0;
  if (insn_table[last->id].format == FORMAT_B) return 2;
  return last->id == INSN_jal && !last->rd;
}

/* A loop is the nodes from one with an edge back to it to the last one with such an edge. */
static bool leaves_loop(const struct emitter *e, unsigned from, unsigned to) {
  const uint16_t *end = e->uses.loop_end;
  for (unsigned i = 0; i <= from; i++)
    if (end[i] > from && (to < i || to >= end[i])) return true;
  return false;
}

/* Executions of the block that begins at an offset, at most those that make it hot; -1: there is none. */
static int block_runs(const struct emitter *e, unsigned offset) {
  const struct block *block = e->page->slot[offset >> 1];
  int64_t most = e->jit->store->translator.hot_after;
  if (!block) return -1;
  if (most > UINT8_MAX) most = UINT8_MAX;
  if (block->ops->fn == jit_op_native) return (int)most;
  if (block->ops->fn != jit_op_hot) return 0;
  int64_t runs = e->jit->store->translator.hot_after - block->ops->imm;
  return (int)(runs < 0 ? 0 : runs > most ? most : runs);
}

/* A node that is no block of its own runs as often as the one that goes on into it. */
static void find_runs(struct emitter *e) {
  for (unsigned i = 0; i < e->region->node_count; i++) {
    const struct region_node *node = &e->region->nodes[i];
    int runs = block_runs(e, node->offset);
    bool follows = i && !node[-1].ends && node[-1].next == node->offset;
    if (runs < 0) runs = follows ? e->uses.runs[i - 1] : 0;
    e->uses.runs[i] = (uint16_t)runs;
  }
}

bool uses_unlikely(const struct emitter *e, unsigned from, unsigned to) {
  enum { ENOUGH = 16, RARE = 8 };
  return e->uses.runs[from] >= ENOUGH && e->uses.runs[to] * RARE < e->uses.runs[from];
}

/* Once for a region: where its nodes lead and how far that is. */
static void find_edges(struct emitter *e) {
  for (unsigned i = 0; i < e->region->node_count; i++) {
    struct use_edges *edges = &e->uses.edges[i];
    const struct region_node *node = &e->region->nodes[i];
    unsigned all = ways(e->region, node);
    edges->count = (uint8_t)region_successors(e->region, node, edges->to);
    edges->leaves = !all || edges->count < all;
    for (unsigned k = 0; k < edges->count; k++) {
      unsigned to = (unsigned)edges->to[k];
      edges->more[k] = (uint16_t)((leaves_loop(e, i, to) ? USE_LEAVING_LOOP : 0) +
                                  (uses_unlikely(e, i, to) ? USE_UNLIKELY : 0));
    }
  }
}

/* Distances from the end of a node. */
static void find_after(const struct emitter *e, unsigned index, uint16_t after[32]) {
  const struct use_edges *edges = &e->uses.edges[index];
  memset(after, 0xff, 32 * sizeof *after);
  if (edges->leaves)
    for (unsigned x = 1; x < 32; x++)
      if (registers_home(x)) after[x] = CORE_AT_EXIT;
  for (unsigned i = 0; i < edges->count; i++) {
    uint16_t way[32];
    longer_all(way, e->uses.distance[edges->to[i]], edges->more[i]);
    nearer_all(after, way);
  }
}

static bool find_before(struct emitter *e, unsigned index) {
  const struct region_node *node = &e->region->nodes[index];
  uint16_t distance[32];
  find_after(e, index, distance);
  longer_all(distance, distance, node->count);
  uint32_t settled = 0;
  for (unsigned i = 0; i < node->count; i++) {
    uint32_t reads = e->uses.reads[node->insn[i]] & ~settled, write = 1u << e->uses.writes[node->insn[i]];
    settled |= reads;
    for (; reads; reads &= reads - 1) distance[__builtin_ctz(reads)] = (uint16_t)i;
    if (write & ~settled & ~1u) distance[__builtin_ctz(write)] = USE_FAR;
    settled |= write;
  }
  bool same = !memcmp(distance, e->uses.distance[index], sizeof distance);
  memcpy(e->uses.distance[index], distance, sizeof distance);
  return !same;
}

static void find_loops(struct emitter *e) {
  int to[2];
  memset(e->uses.ways_in, 0, e->region->node_count * sizeof *e->uses.ways_in);
  memset(e->uses.loop_end, 0, e->region->node_count * sizeof *e->uses.loop_end);
  for (unsigned i = 0; i < e->region->node_count; i++) {
    const struct region_node *node = &e->region->nodes[i];
    unsigned count = region_successors(e->region, node, to);
    for (unsigned k = 0; k < count; k++) {
      if (to[k] <= (int)i && !uses_unlikely(e, (unsigned)to[k], i))
        e->uses.loop_end[to[k]] = (uint16_t)(i + 1);
      if (e->uses.ways_in[to[k]] < UINT8_MAX) e->uses.ways_in[to[k]]++;
    }
    e->uses.node_writes[i] = 0;
    for (unsigned k = 0; k < node->count; k++)
      e->uses.node_writes[i] |= (1u << e->uses.writes[node->insn[k]]) & ~1u;
  }
}

void uses_find(struct emitter *e) {
  const struct region *region = e->region;
  for (unsigned i = 0; i < region->insn_count; i++)
    e->uses.reads[i] = uses(&region->insns[i].insn, &e->uses.writes[i]) & ~1u;
  find_runs(e);
  find_loops(e);
  find_edges(e);
  memset(e->uses.distance, 0xff, region->node_count * sizeof *e->uses.distance);
  bool changed = true;
  for (unsigned round = 0; changed && round < ROUNDS_MAX; round++) {
    changed = false;
    for (unsigned i = region->node_count; i-- > 0;) changed |= find_before(e, i);
  }
}

void uses_begin_node(struct emitter *e) { find_after(e, e->node_index, e->after); }

/* From behind instruction `index` of e->node. */
unsigned uses_next(const struct emitter *e, unsigned x, unsigned index) {
  const struct region_node *node = e->node;
  for (unsigned i = index + 1; i < node->count; i++) {
    if (e->uses.reads[node->insn[i]] >> x & 1) return i - index;
    if (e->uses.writes[node->insn[i]] == x) return USE_FAR;
  }
  return longer(e->after[x], node->count - index);
}
