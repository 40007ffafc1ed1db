/* Regions: the piece of one page's control-flow graph that is translated as a
 * whole. Hart thread.
 *
 * A node is a run of instructions entered only at its first one. Nodes tile the
 * decoded instructions: each belongs to exactly one. Nothing here depends on
 * virtual addresses. */
#ifndef JIT_REGION_H
#define JIT_REGION_H

#include "interp/block.h"

enum { REGION_MAX_INSNS = 512, REGION_MAX_NODES = 192, LAST_PARCEL = PAGE_SIZE - 2 };

struct region_insn {
  struct insn insn;
  uint16_t offset; /* in the page */
  uint16_t weight; /* 8 to the power of the loop depth, estimated; at most 512 */
};

struct region_node {
  uint16_t offset;                /* of the first instruction */
  uint16_t count;                 /* instructions, 1..BLOCK_MAX_INSNS */
  uint16_t next;                  /* offset behind the last instruction */
  bool header;                    /* a branch leads back to it */
  bool crosses;                   /* its one instruction goes on in the next page */
  uint16_t path;                  /* instructions of the longest way from here to a header or back */
  bool ends;                      /* the last instruction jumps or must be executed by the dispatcher
                                   */
  uint16_t insn[BLOCK_MAX_INSNS]; /* indices into region.insns */
};

struct region {
  const struct code_page *page;
  const struct block_store *store;
  unsigned insn_count, node_count, pending_count;
  uint16_t insn_at[PAGE_SLOTS]; /* index + 1 by offset / 2, 0: none */
  uint16_t node_at[PAGE_SLOTS]; /* index + 1 by offset / 2 of its first instruction, 0: none */
  uint64_t leader[PAGE_SLOTS / 64];
  /* From here on nothing is cleared for a region: most are small. */
  struct region_insn insns[REGION_MAX_INSNS];
  struct region_node nodes[REGION_MAX_NODES]; /* by offset */
  uint16_t pending[REGION_MAX_NODES];
};

/* Follow static control flow from `offset`, to code that has run before. What is translated already is left
 * out unless the way leads back to what is not. `bytes`: the page's. false: not even one instruction can be
 * translated there. */
bool region_discover(struct region *region, const struct block_store *store, const struct code_page *page,
                     const uint8_t *bytes, unsigned offset);

/* Target of a branch or jal as page offset: outside 0..4095 it lies in another
 * page. */
int64_t region_target(const struct region_insn *at);

/* Nodes that follow a node inside the region, at most two; returns how many. */
unsigned region_successors(const struct region *region, const struct region_node *node, int successor[2]);

/* Node that begins at a page offset, or -1. */
static inline int region_node_at(const struct region *region, int64_t offset) {
  if (offset < 0 || offset >= PAGE_SIZE) return -1;
  return region->node_at[offset >> 1] - 1;
}

#endif
