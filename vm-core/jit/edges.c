/* The register state nodes are entered with, and what edges do that come with another. */
#include <string.h>

#include "jit/emit.h"

static struct operand place(unsigned x) { return (struct operand){HART(x) + (sljit_sw)(8 * x)}; }

static bool same_hosts(const struct register_state *a, const struct register_state *b) {
  return !memcmp(a->host, b->host, sizeof a->host);
}

/* Nothing has to be done. */
static bool fits(const struct register_state *from, const struct register_state *to) {
  return same_hosts(from, to) && !(from->dirty & ~to->dirty);
}

static unsigned holder(const struct register_state *state, sljit_s32 host) {
  for (unsigned x = 1; x < 32; x++)
    if (state->host[x] == host) return x;
  return 0;
}

/* Registers change places, all at once: those whose new place is free move first; a cycle is opened by R1. */
static void move_registers(struct emitter *e, struct register_state *from, const struct register_state *to) {
  for (;;) {
    unsigned blocked = 0;
    bool moved = false;
    for (unsigned x = 1; x < 32; x++) {
      if (!from->host[x] || !to->host[x] || from->host[x] == to->host[x]) continue;
      if (holder(from, to->host[x])) {
        blocked = x;
        continue;
      }
      op1(e, SLJIT_MOV, reg(to->host[x]), reg(from->host[x]));
      from->host[x] = to->host[x];
      moved = true;
    }
    if (!blocked) return;
    if (moved) continue;
    op1(e, SLJIT_MOV, reg(SLJIT_R1), reg(from->host[blocked]));
    from->host[blocked] = SLJIT_R1;
  }
}

static void change(struct emitter *e, struct register_state from, const struct register_state *to) {
  for (unsigned x = 1; x < 32; x++) {
    if (!from.host[x]) continue;
    if ((from.dirty >> x & 1) && !(to->host[x] && (to->dirty >> x & 1)))
      op1(e, SLJIT_MOV, place(x), reg(from.host[x]));
  }
  struct register_state kept = from;
  for (unsigned x = 1; x < 32; x++)
    if (!to->host[x]) kept.host[x] = 0;
  move_registers(e, &kept, to);
  for (unsigned x = 1; x < 32; x++)
    if (to->host[x] && !from.host[x]) op1(e, SLJIT_MOV, reg(to->host[x]), place(x));
}

static void give(struct register_state *state, unsigned x, sljit_s32 host, bool dirty) {
  state->host[x] = (uint8_t)host;
  if (dirty) state->dirty |= 1u << x;
}

/* Where x gets a place in a loop: that of `near` if it is free. */
static void settle(struct register_state *state, unsigned x, const struct register_state *near) {
  const sljit_s32 *pool;
  unsigned count = registers_pool(&pool);
  sljit_s32 home = registers_home(x);
  if (home && !holder(state, home) && !holder(near, home)) {
    give(state, x, home, false);
    return;
  }
  for (unsigned i = 0; i < count; i++) {
    sljit_s32 host = pool[(i + CORE_REGS) % count];
    unsigned other = holder(near, host);
    if (holder(state, host) || (other && state->host[other] == 0 && other != x)) continue;
    give(state, x, host, false);
    return;
  }
  for (unsigned i = 0; i < count; i++)
    if (!holder(state, pool[i])) {
      give(state, x, pool[i], false);
      return;
    }
}

static unsigned held(const struct register_state *state) {
  unsigned count = 0;
  for (unsigned x = 1; x < 32; x++) count += state->host[x] != 0;
  return count;
}

/* Registers of a loop: those used in it, nearest first; then, where room is left, those it writes, which
 * would have to be stored in every round; then what comes in anyway. */
static struct register_state loop_state(const struct emitter *e, unsigned node,
                                        const struct register_state *near) {
  struct register_state state = {.dirty = 0};
  const uint16_t *distance = e->uses.distance[node];
  const sljit_s32 *pool;
  unsigned count = registers_pool(&pool);
  uint32_t chosen = 0;
  for (unsigned room = count; room; room--) {
    unsigned best = 0;
    for (unsigned x = 1; x < 32; x++)
      if (!(chosen >> x & 1) && distance[x] < (best ? distance[best] : USE_LEAVING_LOOP)) best = x;
    if (!best) break;
    chosen |= 1u << best;
  }
  for (unsigned x = 1; x < 32; x++)
    if ((chosen >> x & 1) && near->host[x]) give(&state, x, near->host[x], false);
  for (unsigned x = 1; x < 32; x++)
    if ((chosen >> x & 1) && !state.host[x]) settle(&state, x, near);
  for (unsigned i = node; i < e->uses.loop_end[node]; i++) state.dirty |= e->uses.node_writes[i];
  for (unsigned x = 1; x < 32; x++)
    if (!state.host[x] && (state.dirty >> x & 1) && held(&state) < count) settle(&state, x, near);
  for (unsigned x = 1; x < 32; x++)
    if (near->host[x] && !state.host[x] && !holder(&state, near->host[x]))
      give(&state, x, near->host[x], false);
  return state;
}

/* Where ways join: what the first of them has, less what others would have to load for a far use. */
static struct register_state join_state(const struct emitter *e, unsigned node,
                                        const struct register_state *near) {
  enum { SOON = 6 };
  struct register_state state = *near;
  for (unsigned i = e->coming[node]; i; i = e->jumps[i - 1].next) {
    const struct register_state *other = &e->jumps[i - 1].state;
    for (unsigned x = 1; x < 32; x++)
      if (!other->host[x] && !(state.dirty >> x & 1) && e->uses.distance[node][x] > SOON) state.host[x] = 0;
  }
  return state;
}

static struct register_state choose(const struct emitter *e, unsigned node) {
  struct register_state near = registers_core(), state;
  unsigned first = e->coming[node];
  if (e->falls)
    near = e->now;
  else if (first)
    near = e->jumps[first - 1].state;
  state = e->uses.loop_end[node] ? loop_state(e, node, &near) : join_state(e, node, &near);
  state.dirty |= near.dirty;
  for (unsigned i = first; i; i = e->jumps[i - 1].next) state.dirty |= e->jumps[i - 1].state.dirty;
  uint32_t mapped = 0;
  for (unsigned x = 1; x < 32; x++) mapped |= (uint32_t)(state.host[x] != 0) << x;
  state.dirty &= mapped;
  return state;
}

void edges_enter(struct emitter *e, unsigned node) {
  struct register_state state = choose(e, node);
  if (e->falls) change(e, e->now, &state);
  e->state[node] = e->now = state;
  for (unsigned x = 1; x < 32; x++)
    if (state.host[x]) e->last[x] = state.host[x];
  e->fixed[node] = true;
  e->falls = false;
}

void edges_jump(struct emitter *e, struct sljit_jump *jump, unsigned node) {
  struct node_jump *made = &e->jumps[e->jump_count++];
  *made = (struct node_jump){jump, (uint16_t)node, e->coming[node], e->now};
  e->coming[node] = (uint16_t)e->jump_count;
}

void edges_go(struct emitter *e, unsigned node) {
  struct register_state before = e->now;
  if (e->fixed[node]) {
    change(e, e->now, &e->state[node]);
    e->now = e->state[node];
  }
  const struct region_node *to = &e->region->nodes[node];
  if (node <= e->node_index && !to->header) check_budget(e, to, COLD_BUDGET);
  edges_jump(e, sljit_emit_jump(e->c, SLJIT_JUMP), node);
  e->now = before;
}

void edges_leave_from(struct emitter *e, struct register_state state) {
  struct register_state core = registers_core();
  change(e, state, &core);
  registers_store_f(e);
}

void edges_leave(struct emitter *e) {
  struct register_state state = e->now;
  for (unsigned x = 1; x < 32; x++)
    if (e->fresh >> x & 1) state.host[x] = 0;
  edges_leave_from(e, state);
}

void edges_come(struct emitter *e, unsigned node) {
  sites_base(e);
  change(e, registers_core(), &e->state[node]);
  registers_load_f(e);
}

bool edges_plain(const struct emitter *e, unsigned node) {
  struct register_state core = registers_core();
  return !e->uses_f && !(HOST_RISCV && e->uses_sites) && fits(&core, &e->state[node]);
}

void edges_finish(struct emitter *e) {
  for (unsigned i = e->jumps_done; i < e->jump_count; i++) {
    const struct node_jump *jump = &e->jumps[i];
    if (fits(&jump->state, &e->state[jump->node])) {
      sljit_set_label(jump->jump, e->label[jump->node]);
      continue;
    }
    here(e, jump->jump);
    change(e, jump->state, &e->state[jump->node]);
    sljit_set_label(sljit_emit_jump(e->c, SLJIT_JUMP), e->label[jump->node]);
  }
  e->jumps_done = e->jump_count;
}
