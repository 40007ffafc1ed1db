#include "jit/dump.h"

#include <inttypes.h>
#include <stdio.h>

static void dump_state(FILE *out, const struct register_state *state) {
  fprintf(out, "    registers:");
  for (unsigned x = 1; x < 32; x++) {
    if (!state->host[x]) continue;
    fprintf(out, " x%u=%d%s", x, sljit_get_register_index(SLJIT_GP_REGISTER, state->host[x]),
            state->dirty >> x & 1 ? "*" : "");
  }
  fprintf(out, "\n");
}

static void dump_floats(FILE *out, const struct emitter *e) {
  if (!e->uses_f) return;
  fprintf(out, "  registers:");
  for (unsigned f = 0; f < 32; f++)
    if (e->fhost[f]) fprintf(out, " f%u=%d", f, sljit_get_register_index(SLJIT_FLOAT_REGISTER, e->fhost[f]));
  fprintf(out, "\n");
}

static void dump_windows(FILE *out, struct emitter *e) {
  windows_plan(e);
  for (unsigned w = 0; w < e->window_count; w++) {
    const struct window *window = &e->windows[w];
    fprintf(out, "    window off x%u: %d..%d, %u accesses, %s\n", window->base, window->first, window->last,
            window->uses, window->write ? "writable" : "readable");
  }
}

static void dump_guest(FILE *out, const struct emitter *e, const struct region_node *node, uint64_t page) {
  for (unsigned i = 0; i < node->count; i++) {
    const struct region_insn *at = &e->region->insns[node->insn[i]];
    char text[80];
    insn_disasm(text, sizeof text, &at->insn, page + at->offset);
    fprintf(out, "    %03x: %s\n", at->offset, text);
  }
}

static void dump_machine(FILE *out, const struct emitter *e, const uint8_t *code, size_t size) {
  fprintf(out, "  machine code at %p:", (const void *)(code + e->jit->cache.to_exec));
  for (size_t i = 0; i < size; i++) fprintf(out, i % 32 ? "%02x" : "\n    %02x", code[i]);
  fprintf(out, "\n");
}

void jit_dump(FILE *out, struct emitter *e, const uint8_t *code, size_t size) {
  const struct phys *phys = e->jit->hart->mmu->phys;
  uint64_t page = phys->ram_base + (e->page->number << PAGE_SHIFT);
  fprintf(out, "region in physical page 0x%" PRIx64 ": %u instructions, %u nodes, %zu bytes\n", page,
          e->region->insn_count, e->region->node_count, size);
  dump_floats(out, e);
  for (unsigned i = 0; i < e->region->node_count; i++) {
    const struct region_node *node = &e->region->nodes[i];
    fprintf(out, "  node %03x at %p, entry %p: %u instructions, %u to the next check%s\n", node->offset,
            (void *)sljit_get_label_addr(e->label[i]), (void *)sljit_get_label_addr(e->entry[i]), node->count,
            node->path, node->header ? ", header" : "");
    dump_state(out, &e->state[i]);
    e->node = node;
    dump_windows(out, e);
    dump_guest(out, e, node, page);
  }
  static const char *const parts[] = {"edges", "site misses", "entries", "slow code", "cold code"};
  for (unsigned i = 0; i < 5; i++)
    fprintf(out, "  %s at %p\n", parts[i], (void *)sljit_get_label_addr(e->part[i]));
  dump_machine(out, e, code, size);
  fflush(out);
}
