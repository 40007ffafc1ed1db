#include "isa/insn.h"

#include <stdio.h>
#include <string.h>

#include "isa/csr.h"

static const char x_names[32][5] = {"zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
                                    "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
                                    "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};
static const char rm_names[8][4] = {"rne", "rtz", "rdn", "rup", "rmm", "?5", "?6", "dyn"};

/* How each format prints. %d %1 %2: x rd rs1 rs2; %D %A %B %C: f rd rs1 rs2 rs3; %i imm; %h upper imm; %t
 * pc-relative target; %c CSR; %u uimm; %r rounding mode. */
static const char *const format_text[] = {
    [FORMAT_R] = "%d, %1, %2",      [FORMAT_R1] = "%d, %1",
    [FORMAT_I] = "%d, %1, %i",      [FORMAT_L] = "%d, %i(%1)",
    [FORMAT_S] = "%2, %i(%1)",      [FORMAT_B] = "%1, %2, %t",
    [FORMAT_U] = "%d, %h",          [FORMAT_J] = "%d, %t",
    [FORMAT_SH6] = "%d, %1, %i",    [FORMAT_SH5] = "%d, %1, %i",
    [FORMAT_CSR] = "%d, %c, %1",    [FORMAT_CSRI] = "%d, %c, %u",
    [FORMAT_LR] = "%d, (%1)",       [FORMAT_AMO] = "%d, %2, (%1)",
    [FORMAT_FENCE] = "%i",          [FORMAT_NONE] = "",
    [FORMAT_SFENCE] = "%1, %2",     [FORMAT_CBO] = "(%1)",
    [FORMAT_FL] = "%D, %i(%1)",     [FORMAT_FS] = "%B, %i(%1)",
    [FORMAT_FR] = "%D, %A, %B",     [FORMAT_FRM] = "%D, %A, %B, %r",
    [FORMAT_FRM1] = "%D, %A, %r",   [FORMAT_FR4] = "%D, %A, %B, %C, %r",
    [FORMAT_FCMP] = "%d, %A, %B",   [FORMAT_FTOX] = "%d, %A",
    [FORMAT_FTOXRM] = "%d, %A, %r", [FORMAT_XTOF] = "%D, %1",
    [FORMAT_XTOFRM] = "%D, %1, %r",
};

void insn_mnemonic(char *buffer, unsigned size, unsigned id) {
  snprintf(buffer, size, "%s", id < INSN_COUNT ? insn_table[id].name : "illegal");
  for (char *c = buffer; size && *c; c++) {
    if (*c == '_') *c = '.';
  }
}

static void operand(char *text, unsigned size, char kind, const struct insn *insn, uint64_t pc) {
  const char *csr = NULL;
  switch (kind) {
  case 'd': snprintf(text, size, "%s", x_names[insn->rd]); break;
  case '1': snprintf(text, size, "%s", x_names[insn->rs1]); break;
  case '2': snprintf(text, size, "%s", x_names[insn->rs2]); break;
  case 'D': snprintf(text, size, "f%u", insn->rd); break;
  case 'A': snprintf(text, size, "f%u", insn->rs1); break;
  case 'B': snprintf(text, size, "f%u", insn->rs2); break;
  case 'C': snprintf(text, size, "f%u", insn->rs3); break;
  case 'i': snprintf(text, size, "%lld", (long long)insn->imm); break;
  case 'h': snprintf(text, size, "0x%llx", (unsigned long long)insn->imm >> 12 & 0xfffff); break;
  case 't': snprintf(text, size, "0x%llx", (unsigned long long)(pc + (uint64_t)insn->imm)); break;
  case 'u': snprintf(text, size, "%u", insn->rs1); break;
  case 'r': snprintf(text, size, "%s", rm_names[insn->rm]); break;
  default:
    csr = csr_name((unsigned)insn->imm);
    if (csr)
      snprintf(text, size, "%s", csr);
    else
      snprintf(text, size, "0x%x", (unsigned)insn->imm);
  }
}

int insn_disasm(char *buffer, unsigned size, const struct insn *insn, uint64_t pc) {
  char text[96], mnemonic[24];
  insn_mnemonic(mnemonic, sizeof mnemonic, insn->id);
  if (insn->id >= INSN_COUNT) return snprintf(buffer, size, "%s 0x%x", mnemonic, insn->raw);
  unsigned used = (unsigned)snprintf(text, sizeof text, "%s ", mnemonic);
  for (const char *f = format_text[insn_table[insn->id].format]; *f && used < sizeof text - 1; f++) {
    if (*f != '%') {
      text[used++] = *f;
      text[used] = 0;
      continue;
    }
    operand(text + used, (unsigned)sizeof text - used, *++f, insn, pc);
    used += (unsigned)strlen(text + used);
  }
  while (used && text[used - 1] == ' ') text[--used] = 0;
  return snprintf(buffer, size, "%s", text);
}
