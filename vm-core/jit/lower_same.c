/* On RISC-V hosts: instructions that compute one register from others are the host's own, with other register
 * numbers. */
#include "jit/emit.h"

#if HOST_RISCV
#include <signal.h>
#include <string.h>
#include <ucontext.h>

/* An instruction that the host does not have does nothing. */
static void skip(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)info;
  ((ucontext_t *)context)->uc_mcontext.__gregs[REG_PC] += 4;
}

/* Whether the host has an instruction that makes something else of a0 = 8 and a1 = 3. */
#define TRY(word)                                                                                            \
  ({                                                                                                         \
    register uint64_t a0 __asm__("a0") = 8;                                                                  \
    register uint64_t a1 __asm__("a1") = 3;                                                                  \
    __asm__ volatile(".option push\n.option norvc\n.balign 4\n.4byte " #word "\n.option pop"                 \
                     : "+r"(a0)                                                                              \
                     : "r"(a1));                                                                             \
    a0 != 8;                                                                                                 \
  })

/* Kernels before 6.4 do not tell, so one instruction of each extension is tried: sh1add, xnor, binv, clmul
 * and czero.nez a0, a0, a1. */
static bool host_has(const char *extension) {
  if (!strcmp(extension, "I") || !strcmp(extension, "M")) return true;
  if (!strcmp(extension, "Zba")) return TRY(0x20b52533);
  if (!strcmp(extension, "Zbb")) return TRY(0x40b54533);
  if (!strcmp(extension, "Zbs")) return TRY(0x68b51533);
  if (!strcmp(extension, "Zbc")) return TRY(0x0ab51533);
  if (!strcmp(extension, "Zicond")) return TRY(0x0eb57533);
  return false;
}

static bool computes(const struct insn_row *row) {
  switch (row->format) {
  case FORMAT_R:
  case FORMAT_R1:
  case FORMAT_I:
  case FORMAT_SH6:
  case FORMAT_SH5: return !row->flags;
  default: return row == &insn_table[INSN_lui];
  }
}

void same_find(struct jit *jit) {
  struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO}, before;
  const char *known = "";
  bool has = false;
  sigaction(SIGILL, &action, &before);
  for (unsigned id = 0; id < INSN_COUNT; id++) {
    if (!computes(&insn_table[id])) continue;
    if (strcmp(known, insn_table[id].extension) != 0) has = host_has(known = insn_table[id].extension);
    jit->same[id] = has;
  }
  sigaction(SIGILL, &before, NULL);
}

static uint32_t number(sljit_s32 r) { return (uint32_t)sljit_get_register_index(SLJIT_GP_REGISTER, r); }

/* x in a register of the host, `temp` if it is in memory. */
static uint32_t source(struct emitter *e, unsigned x, sljit_s32 temp) {
  return x ? number(in_register(e, x, temp)) : 0;
}

static uint32_t operands(struct emitter *e, const struct insn *insn) {
  switch (insn_table[insn->id].format) {
  case FORMAT_R: return source(e, insn->rs1, SLJIT_R0) << 15 | source(e, insn->rs2, HOST_T2) << 20;
  case FORMAT_R1: return source(e, insn->rs1, SLJIT_R0) << 15;
  case FORMAT_U: return (uint32_t)insn->imm & 0xfffff000;
  default: return source(e, insn->rs1, SLJIT_R0) << 15 | (uint32_t)insn->imm << 20;
  }
}

bool lower_same(struct emitter *e, const struct insn *insn) {
  if (insn->id == INSN_ILLEGAL || !e->jit->same[insn->id]) return false;
  if (!insn->rd) return true;
  sljit_s32 host = e->now.host[insn->rd];
  uint32_t word = insn_table[insn->id].match | operands(e, insn) | number(host ? host : SLJIT_R0) << 7;
  sljit_emit_op_custom(e->c, &word, sizeof word);
  if (!host) op1(e, SLJIT_MOV, guest(e, insn->rd), reg(SLJIT_R0));
  return true;
}
#endif
