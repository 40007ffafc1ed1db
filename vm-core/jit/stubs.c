#include <stdlib.h>

#include "jit/emit.h"

static void emit_enter(struct emitter *e) {
  sljit_emit_enter(e->c, HOST_ENTER);
  sljit_emit_op1(e->c, SLJIT_MOV, SLJIT_R0, 0, SLJIT_S1, 0);
  sljit_emit_op1(e->c, SLJIT_MOV, HOST_BUDGET, 0, HART(budget));
  registers_load(e, true);
  sljit_emit_ijump(e->c, SLJIT_JUMP, SLJIT_R0, 0);
}

/* Each falls into the next. */
static void emit_exits(struct emitter *e, struct sljit_label *label[4]) {
  struct sljit_compiler *c = e->c;
  label[0] = sljit_emit_label(c);
  sljit_emit_op2(c, SLJIT_ADD, SLJIT_R0, 0, SLJIT_R0, 0, HART(code_page));
  label[1] = sljit_emit_label(c);
  sljit_emit_op1(c, SLJIT_MOV, HART(pc), SLJIT_R0, 0);
  sljit_emit_op1(c, SLJIT_MOV, SLJIT_R0, 0, SLJIT_IMM, (sljit_sw)&jit_go_op);
  label[2] = sljit_emit_label(c);
  registers_store(e, true);
  sljit_emit_op1(c, SLJIT_MOV, HART(budget), HOST_BUDGET, 0);
  sljit_emit_return(c, SLJIT_MOV, SLJIT_R0, 0);
  label[3] = sljit_emit_label(c);
  sljit_emit_return(c, SLJIT_MOV, SLJIT_IMM, 0);
}

bool stubs_build(struct jit *jit) {
  struct sljit_label *label[4];
  struct emitter *e = calloc(1, sizeof *e);
  if (!e) return false;
  *e = (struct emitter){.jit = jit, .c = sljit_create_compiler(NULL)};
  bool ok = e->c != NULL;
  if (ok) {
    registers_core(e->host);
    emit_enter(e);
    emit_exits(e, label);
    struct sljit_generate_code_buffer buffer = {jit->cache.base, STUBS_BYTES, jit->cache.to_exec};
    void *code = sljit_generate_code(e->c, SLJIT_GENERATE_CODE_BUFFER, &buffer);
    ok = code != NULL;
    if (ok) {
      jit->stubs.enter = (const struct op *(*)(struct hart *, const void *))code;
      jit->stubs.miss = sljit_get_label_addr(label[0]);
      jit->stubs.pc = sljit_get_label_addr(label[1]);
      jit->stubs.side = sljit_get_label_addr(label[2]);
      jit->stubs.null = sljit_get_label_addr(label[3]);
    }
    sljit_free_compiler(e->c);
  }
  free(e);
  return ok;
}
