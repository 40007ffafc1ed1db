#include "interp/op.h"

const op_fn op_table[INSN_COUNT + 1] = {
#define INSN(name, match, mask, format, extension, flags) [INSN_##name] = op_##name,
#include "isa/insn.def"
#undef INSN
    [INSN_ILLEGAL] = op_illegal,
};
