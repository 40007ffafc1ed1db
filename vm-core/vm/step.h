/* Step conditions in hart words (docs/protocol.md, VM_STEP). */
#ifndef VM_STEP_H
#define VM_STEP_H

#include "exec/run.h"

enum step_kind {
  STEP_BUDGET_ONLY,
  STEP_FIRST_USER, /* init:proc */
  STEP_PC,         /* pc:0x… and pc:0x…&str:REG=TEXT */
  STEP_ECALL,
  STEP_FAULT,
  STEP_CONSOLE,
  STEP_INSTRET, /* instret:N, past:N */
  STEP_INSTANT, /* instret:N@TIME, past:N@TIME: N instructions retired, and that guest time reached by idling
                 */
  STEP_BOOT,    /* boot:N: the start of that boot, or of a later one */
  STEP_IDLE,
};

enum { STEP_TEXT_MAX = 255 };

struct step {
  enum step_kind kind;
  uint64_t number;  /* pc, ecall number, instret, boot, or the set of exception codes of a fault */
  uint64_t time_ns; /* of an instant */
  bool past;        /* instret and instant: of the boot that is replayed */
  uint64_t boot;    /* 0: of any boot; set when the step is taken */
  unsigned reg;     /* of str:REG, 0: none */
  unsigned text_length;
  char text[STEP_TEXT_MAX + 1]; /* of console: or str:, NUL-terminated, no NUL inside */
};

/* false with one line in `error`. `word` is not NUL-terminated. */
bool step_parse(struct step *step, const char *word, size_t length, char *error, size_t error_size);

/* What the protocol calls the kind: "init:proc", "pc", "ecall", … */
const char *step_name(const struct step *step);

/* The part of run_limits that expresses the condition when `now` instructions are retired. *breakpoint must
 * live as long as the limits. */
void step_limits(const struct step *step, uint64_t now, struct run_limits *limits,
                 struct breakpoint *breakpoint);

/* Finds a text in a stream of bytes, across any cuts (Knuth, Morris and Pratt). */
struct matcher {
  unsigned length, matched;
  uint8_t next[STEP_TEXT_MAX + 1];
  char text[STEP_TEXT_MAX + 1];
};
void matcher_init(struct matcher *matcher, const char *text, unsigned length);
/* True when this byte completed the text. A matcher of length 0 never matches. */
bool matcher_feed(struct matcher *matcher, uint8_t byte);

#endif
