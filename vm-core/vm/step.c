#include "vm/step.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const register_names[32] = {
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
    "a6",   "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};

/* A whole number, decimal or 0x…, that ends the text. */
static bool number(const char *text, uint64_t *value) {
  char *end;
  errno = 0;
  if (*text < '0' || *text > '9') return false;
  *value = strtoull(text, &end, 0);
  return errno == 0 && *end == 0;
}

static bool register_number(const char *name, unsigned *reg) {
  for (unsigned i = 1; i < 32; i++) {
    char plain[4];
    snprintf(plain, sizeof plain, "x%u", i);
    if (strcmp(name, register_names[i]) == 0 || strcmp(name, plain) == 0) {
      *reg = i;
      return true;
    }
  }
  return false;
}

static bool set_text(struct step *step, const char *text) {
  step->text_length = (unsigned)strlen(text);
  memcpy(step->text, text, step->text_length + 1);
  return step->text_length > 0;
}

static bool parse_pc(struct step *step, char *rest) {
  char *tail = strstr(rest, "&str:");
  step->kind = STEP_PC;
  if (!tail) return number(rest, &step->number);
  *tail = 0;
  char *name = tail + strlen("&str:"), *equals = strchr(name, '=');
  if (!equals) return false;
  *equals = 0;
  return number(rest, &step->number) && register_number(name, &step->reg) && set_text(step, equals + 1);
}

static bool parse_fault(struct step *step, const char *what) {
  static const struct {
    const char *name;
    uint64_t causes;
  } kinds[] = {{"load", BIT(CAUSE_LOAD_PAGE) | BIT(CAUSE_LOAD_ACCESS)},
               {"store", BIT(CAUSE_STORE_PAGE) | BIT(CAUSE_STORE_ACCESS)},
               {"instruction", BIT(CAUSE_FETCH_PAGE) | BIT(CAUSE_FETCH_ACCESS)}};
  step->kind = STEP_FAULT;
  for (unsigned i = 0; i < 3; i++)
    if (strcmp(what, kinds[i].name) == 0) step->number = kinds[i].causes;
  return step->number != 0;
}

static bool starts(char *word, const char *prefix, char **rest) {
  size_t n = strlen(prefix);
  *rest = word + n;
  return strncmp(word, prefix, n) == 0;
}

static bool parse_instret(struct step *step, char *rest) {
  char *at = strchr(rest, '@');
  step->kind = at ? STEP_INSTANT : STEP_INSTRET;
  if (at) *at = 0;
  return number(rest, &step->number) && (!at || number(at + 1, &step->time_ns));
}

static bool parse(struct step *step, char *word) {
  char *rest;
  if (!*word) return true;
  if (strcmp(word, "init:proc") == 0) return step->kind = STEP_FIRST_USER, true;
  if (strcmp(word, "idle") == 0) return step->kind = STEP_IDLE, true;
  if (starts(word, "pc:", &rest)) return parse_pc(step, rest);
  if (starts(word, "ecall:", &rest))
    return step->kind = STEP_ECALL, number(rest, &step->number) && step->number <= INT64_MAX;
  if (starts(word, "fault:", &rest)) return parse_fault(step, rest);
  if (starts(word, "console:", &rest)) return step->kind = STEP_CONSOLE, set_text(step, rest);
  if (starts(word, "instret:", &rest)) return parse_instret(step, rest);
  if (starts(word, "past:", &rest)) return step->past = true, parse_instret(step, rest);
  if (starts(word, "boot:", &rest)) return step->kind = STEP_BOOT, number(rest, &step->number);
  return false;
}

bool step_parse(struct step *step, const char *word, size_t length, char *error, size_t error_size) {
  char copy[STEP_TEXT_MAX + 1];
  memset(step, 0, sizeof *step);
  if (length > STEP_TEXT_MAX || memchr(word, 0, length)) {
    snprintf(error, error_size, "the condition is longer than %d bytes or holds a NUL", STEP_TEXT_MAX);
    return false;
  }
  memcpy(copy, word, length);
  copy[length] = 0;
  if (parse(step, copy)) return true;
  snprintf(error, error_size, "unknown step condition \"%.*s\"", (int)length, word);
  return false;
}

const char *step_name(const struct step *step) {
  static const char *const names[] = {
      [STEP_BUDGET_ONLY] = "budget", [STEP_FIRST_USER] = "init:proc", [STEP_PC] = "pc",
      [STEP_ECALL] = "ecall",        [STEP_FAULT] = "fault",          [STEP_CONSOLE] = "console",
      [STEP_INSTRET] = "instret",    [STEP_INSTANT] = "instret",      [STEP_BOOT] = "boot",
      [STEP_IDLE] = "idle"};
  return names[step->kind];
}

void step_limits(const struct step *step, uint64_t now, struct run_limits *limits,
                 struct breakpoint *breakpoint) {
  switch (step->kind) {
  case STEP_FIRST_USER: limits->stop_on_first_user = true; break;
  case STEP_PC:
    *breakpoint = (struct breakpoint){step->number, (uint8_t)step->reg, step->reg ? step->text : NULL};
    limits->breakpoints = breakpoint;
    limits->breakpoint_count = 1;
    break;
  case STEP_ECALL: limits->ecall_number = (int64_t)step->number; break;
  case STEP_FAULT: limits->fault_causes = (uint32_t)step->number; break;
  case STEP_IDLE: limits->stop_on_idle = true; break;
  case STEP_INSTRET:
    if (step->number < limits->stop_at_instret) limits->stop_at_instret = step->number;
    break;
  case STEP_INSTANT: /* there, one instruction more would be too far, but idling is not */
    if (step->number + (now >= step->number) < limits->stop_at_instret)
      limits->stop_at_instret = step->number + (now >= step->number);
    break;
  case STEP_BOOT:
  case STEP_CONSOLE:
  case STEP_BUDGET_ONLY: break;
  }
}

void matcher_init(struct matcher *matcher, const char *text, unsigned length) {
  memset(matcher, 0, sizeof *matcher);
  matcher->length = length;
  memcpy(matcher->text, text, length);
  for (unsigned i = 1, k = 0; i < length; i++) {
    while (k && text[i] != text[k]) k = matcher->next[k - 1];
    if (text[i] == text[k]) k++;
    matcher->next[i] = (uint8_t)k;
  }
}

bool matcher_feed(struct matcher *matcher, uint8_t byte) {
  if (!matcher->length) return false;
  while (matcher->matched && (uint8_t)matcher->text[matcher->matched] != byte)
    matcher->matched = matcher->next[matcher->matched - 1];
  if ((uint8_t)matcher->text[matcher->matched] == byte) matcher->matched++;
  if (matcher->matched < matcher->length) return false;
  matcher->matched = matcher->next[matcher->length - 1];
  return true;
}
