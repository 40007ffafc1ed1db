#include <stdlib.h>

#include "jit/emit.h"

static void emit_enter(struct emitter *e) {
  sljit_emit_enter(e->c, HOST_ENTER);
  sljit_emit_op1(e->c, SLJIT_MOV, SLJIT_R0, 0, SLJIT_S1, 0);
  sljit_emit_op1(e->c, SLJIT_MOV, HOST_BUDGET, 0, HART(budget));
  load_key(e);
  registers_load(e, &e->now);
  sljit_emit_ijump(e->c, SLJIT_JUMP, SLJIT_R0, 0);
}

enum {
  STUB_MISS,
  STUB_SPENT,
  STUB_SIDE,
  STUB_NULL,
  STUB_FIND,
  STUB_REFILL,
  STUB_REFILL_F,
  STUB_STATUS,
  STUB_STATUS_F,
  STUBS
};

/* R0: page offset. */
static struct sljit_label *emit_go(struct emitter *e, enum jit_exit why, struct sljit_label *side) {
  struct sljit_compiler *c = e->c;
  struct sljit_label *label = sljit_emit_label(c);
  sljit_emit_op2(c, SLJIT_ADD, SLJIT_R0, 0, SLJIT_R0, 0, HART(code_page));
  sljit_emit_op1(c, SLJIT_MOV, HART(pc), SLJIT_R0, 0);
  sljit_emit_op1(c, SLJIT_MOV, SLJIT_R0, 0, SLJIT_IMM, (sljit_sw)&jit_go_op[why]);
  sljit_set_label(sljit_emit_jump(c, SLJIT_JUMP), side);
  return label;
}

static void emit_exits(struct emitter *e, struct sljit_label **label) {
  struct sljit_compiler *c = e->c;
  label[STUB_SIDE] = sljit_emit_label(c);
  registers_store(e, &e->now);
  sljit_emit_op1(c, SLJIT_MOV, HART(budget), HOST_BUDGET, 0);
  sljit_emit_return(c, SLJIT_MOV, SLJIT_R0, 0);
  label[STUB_NULL] = sljit_emit_label(c);
  sljit_emit_return(c, SLJIT_MOV, SLJIT_IMM, 0);
  label[STUB_MISS] = emit_go(e, JIT_EXIT_UNTRANSLATED, label[STUB_SIDE]);
  label[STUB_SPENT] = emit_go(e, JIT_EXIT_BUDGET, label[STUB_SIDE]);
}

/* R0: virtual address. */
static struct sljit_label *emit_find(struct emitter *e, struct sljit_label *side) {
  struct sljit_compiler *c = e->c;
  struct sljit_label *label = sljit_emit_label(c);
  registers_store(e, &e->now);
  sljit_emit_op1(c, SLJIT_MOV, HART(budget), HOST_BUDGET, 0);
  sljit_emit_op1(c, SLJIT_MOV, SLJIT_R1, 0, SLJIT_R0, 0);
  sljit_emit_op1(c, SLJIT_MOV, SLJIT_R0, 0, HOST_HART, 0);
  sljit_emit_icall(c, SLJIT_CALL, SLJIT_ARGS2(W, W, W), SLJIT_IMM, SLJIT_FUNC_ADDR(jit_find));
  load_key(e);
  registers_load(e, &e->now);
  struct sljit_jump *none = sljit_emit_cmp(c, SLJIT_EQUAL, SLJIT_R0, 0, SLJIT_IMM, 0);
  sljit_emit_ijump(c, SLJIT_JUMP, SLJIT_R0, 0);
  here(e, none);
  sljit_emit_op1(c, SLJIT_MOV, SLJIT_R0, 0, SLJIT_IMM, (sljit_sw)&jit_go_op[JIT_EXIT_LOOKUP]);
  sljit_set_label(sljit_emit_jump(c, SLJIT_JUMP), side);
  return label;
}

/* Host registers a call may change and a region keeps guest registers in: all but R0 and R1, FR0 and FR1. */
void stubs_keep(struct emitter *e, bool load, bool floats) {
  struct sljit_compiler *c = e->c;
  for (sljit_s32 i = 2; i < SLJIT_NUMBER_OF_SCRATCH_REGISTERS; i++) {
    sljit_sw at = (sljit_sw)(offsetof(struct hart, host_kept) + 8 * (size_t)i);
    if (load)
      sljit_emit_op1(c, SLJIT_MOV, SLJIT_R(i), 0, SLJIT_MEM1(HOST_HART), at);
    else
      sljit_emit_op1(c, SLJIT_MOV, SLJIT_MEM1(HOST_HART), at, SLJIT_R(i), 0);
  }
  for (sljit_s32 i = 2; floats && i < HOST_FLOATS; i++) {
    sljit_sw at = (sljit_sw)(offsetof(struct hart, host_kept_f) + 8 * (size_t)i);
    if (load)
      sljit_emit_fop1(c, SLJIT_MOV_F64, SLJIT_FR(i), 0, SLJIT_MEM1(HOST_HART), at);
    else
      sljit_emit_fop1(c, SLJIT_MOV_F64, SLJIT_MEM1(HOST_HART), at, SLJIT_FR(i), 0);
  }
}

/* A call of `helper` with R0 and R1 that keeps everything else; its answer goes to R1. */
static struct sljit_label *emit_helper(struct emitter *e, sljit_uw helper, bool floats) {
  struct sljit_compiler *c = e->c;
  struct sljit_label *label = sljit_emit_label(c);
  sljit_emit_op_dst(c, SLJIT_FAST_ENTER, SLJIT_MEM1(SLJIT_SP), 0);
  stubs_keep(e, false, floats);
  sljit_emit_op1(c, SLJIT_MOV, SLJIT_R2, 0, SLJIT_R1, 0);
  sljit_emit_op1(c, SLJIT_MOV, SLJIT_R1, 0, SLJIT_R0, 0);
  sljit_emit_op1(c, SLJIT_MOV, SLJIT_R0, 0, HOST_HART, 0);
  sljit_emit_icall(c, SLJIT_CALL, SLJIT_ARGS3(W, W, W, W), SLJIT_IMM, (sljit_sw)helper);
  sljit_emit_op1(c, SLJIT_MOV, SLJIT_R1, 0, SLJIT_R0, 0);
  load_key(e);
  stubs_keep(e, true, floats);
  sljit_emit_op_src(c, SLJIT_FAST_RETURN, SLJIT_MEM1(SLJIT_SP), 0);
  return label;
}

static bool generate(struct jit *jit, struct emitter *e, struct sljit_label *label[STUBS]) {
  struct sljit_generate_code_buffer buffer = {jit->cache.base, STUBS_BYTES, jit->cache.to_exec};
  void *code = sljit_generate_code(e->c, SLJIT_GENERATE_CODE_BUFFER, &buffer);
  if (!code) return false;
  sljit_uw at[STUBS];
  for (unsigned i = 0; i < STUBS; i++) at[i] = sljit_get_label_addr(label[i]);
  jit->stubs = (struct jit_stubs){.enter = (const struct op *(*)(struct hart *, const void *))code,
                                  .miss = at[STUB_MISS],
                                  .spent = at[STUB_SPENT],
                                  .side = at[STUB_SIDE],
                                  .null = at[STUB_NULL],
                                  .find = at[STUB_FIND],
                                  .refill = {at[STUB_REFILL], at[STUB_REFILL_F]},
                                  .status = {at[STUB_STATUS], at[STUB_STATUS_F]}};
  return true;
}

bool stubs_build(struct jit *jit) {
  struct sljit_label *label[STUBS];
  struct emitter *e = calloc(1, sizeof *e);
  if (!e) return false;
  *e = (struct emitter){.jit = jit, .c = sljit_create_compiler(&jit->scratch)};
  bool ok = e->c != NULL;
  if (ok) {
    e->now = registers_core();
    emit_enter(e);
    emit_exits(e, label);
    label[STUB_FIND] = emit_find(e, label[STUB_SIDE]);
    for (unsigned floats = 0; floats < 2; floats++) {
      label[STUB_REFILL + floats] = emit_helper(e, SLJIT_FUNC_UADDR(jit_refill), floats);
      label[STUB_STATUS + floats] = emit_helper(e, SLJIT_FUNC_UADDR(jit_status), floats);
    }
    ok = generate(jit, e, label);
  }
  free(e);
  return ok;
}
