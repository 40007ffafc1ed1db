/* The command line and step conditions: what is accepted, what is refused and with which words. */
#include "vm/config.h"

#include "test/rig.h"
#include "vm/step.h"

enum { WORDS = 12 };

static enum config_result parse(struct config *config, char *error, const char *line) {
  static char copy[1024];
  char *argv[WORDS] = {"linuxsql-vm"};
  int argc = 1;
  snprintf(copy, sizeof copy, "%s", line);
  for (char *word = strtok(copy, " "); word && argc < WORDS; word = strtok(NULL, " ")) argv[argc++] = word;
  error[0] = 0;
  return config_parse(config, argc, argv, error, 256);
}

static void test_good(struct rig *t) {
  struct config c;
  char error[256];
  CHECK(t,
        parse(&c, error, "--bios f --kernel=k --memory 2G --append x=y --paused --control s") == CONFIG_RUN,
        "%s", error);
  CHECK(t, c.memory == UINT64_C(2) << 30 && c.paused && strcmp(c.kernel, "k") == 0, "values");
  CHECK(t, strcmp(c.append, "x=y") == 0 && c.view_timeout == 60 && c.stop_at == UINT64_MAX, "defaults");
  CHECK(t, c.rtc_base == 1767225600 && c.engine == ENGINE_JIT && c.control_uid == UINT32_MAX,
        "more defaults");
  CHECK(t,
        parse(&c, error, "--bare f --engine interp --max-insns 0x10") == CONFIG_RUN &&
            c.engine == ENGINE_INTERP,
        "%s", error);
  CHECK(t, c.max_insns == 16 && c.memory == 0, "values");
  CHECK(t,
        parse(&c, error, "--db dbname=x --machine vm1 --console stdio --console-input virtio --idle jump") ==
            CONFIG_RUN,
        "%s", error);
  CHECK(t, c.console == CONSOLE_STDIO && c.console_input == INPUT_VIRTIO && c.idle == IDLE_JUMP, "choices");
  CHECK(
      t,
      parse(&c, error, "--bare f --seed 000102030405060708090a0b0c0d0e0f101112131415161718191a1B1C1D1E1F") ==
          CONFIG_RUN,
      "%s", error);
  CHECK(t, c.seed[1] == 1 && c.seed[31] == 31, "seed");
  CHECK(t, parse(&c, error, "--bare f --help") == CONFIG_HELP, "help");
  char *help = config_help();
  CHECK(t, help && strstr(help, "--view-timeout SECONDS") && strstr(help, "(60)"), "help text");
  free(help);
}

static void test_bad(struct rig *t) {
  static const struct {
    const char *line, *says;
  } cases[] = {
      {"", "nothing to run"},
      {"--nonsense", "unknown argument \"--nonsense\""},
      {"file", "unknown argument \"file\""},
      {"--", "unknown argument \"--\""},
      {"--bios f", "belong together"},
      {"--bare f --db x", "exclude each other"},
      {"--bare f --memory", "--memory needs SIZE"},
      {"--bare f --memory 1T", "--memory: \"1T\" is not SIZE"},
      {"--bare f --memory -1", "is not SIZE"},
      {"--bare f --memory 0", "is not SIZE"},
      {"--bare f --memory 3K", "multiple of 2M"},
      {"--bare f --memory 99999999999999999999", "is not SIZE"},
      {"--bare f --memory 17179869184G", "is not SIZE"},
      {"--bare f --stop-at 1x", "is not N"},
      {"--bare f --seed 00", "is not HEX"},
      {"--bare f --engine fast", "is not interp|jit|lockstep"},
      {"--bare f --engine interp|jit", "is not interp|jit|lockstep"},
      {"--bare f --paused=yes", "takes no value"},
      {"--bios f --kernel k --paused", "needs --control"},
      {"--bios f --kernel k --replay a --input-log b", "exclude each other"},
      {"--bios f --kernel k --replay-boot 1", "belong to --db"},
      {"--db x --replay-from a --checkpoint b", "belong to --db, without"},
      {"--db x --replay-to 5", "--replay-to belongs to --replay-boot"},
      {"--bare f --view-timeout 0", "--view-timeout must be"},
      {"--bare f --view-pool 4K", "--view-pool must be"},
  };
  struct config c;
  char error[256];
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    CHECK(t, parse(&c, error, cases[i].line) == CONFIG_ERROR, "accepted: %s", cases[i].line);
    CHECK(t, strstr(error, cases[i].says), "\"%s\" says \"%s\"", cases[i].line, error);
  }
}

static bool step(struct step *out, const char *word) {
  char error[256];
  return step_parse(out, word, strlen(word), error, sizeof error);
}

static void test_steps(struct rig *t) {
  struct step s;
  CHECK(t, step(&s, "") && s.kind == STEP_BUDGET_ONLY, "empty");
  CHECK(t, step(&s, "init:proc") && s.kind == STEP_FIRST_USER && !strcmp(step_name(&s), "init:proc"),
        "init:proc");
  CHECK(t, step(&s, "pc:0xffffffff80001234") && s.kind == STEP_PC && s.number == UINT64_C(0xffffffff80001234),
        "pc");
  CHECK(t, step(&s, "pc:0x10&str:a1=post=gres") && s.reg == 11 && !strcmp(s.text, "post=gres"),
        "pc and string");
  CHECK(t, step(&s, "pc:16&str:x10=y") && s.reg == 10 && s.number == 16, "register by number");
  CHECK(t, step(&s, "ecall:221") && s.kind == STEP_ECALL && s.number == 221, "ecall");
  CHECK(t, step(&s, "fault:store") && s.number == (BIT(15) | BIT(7)), "fault");
  CHECK(t, step(&s, "console:login: ") && !strcmp(s.text, "login: ") && s.text_length == 7, "console");
  CHECK(t, step(&s, "instret:300000000") && s.number == 300000000, "instret");
  CHECK(t, step(&s, "idle") && s.kind == STEP_IDLE, "idle");
  static const char *const bad[] = {"x",
                                    "pc:",
                                    "pc:zz",
                                    "pc:-1",
                                    "pc:0x1&str:zero=a",
                                    "pc:0x1&str:a0=",
                                    "pc:0x1&str:a0",
                                    "pc:0x1&str:q9=a",
                                    "ecall:",
                                    "ecall:99999999999999999999",
                                    "fault:",
                                    "fault:any",
                                    "console:",
                                    "instret:1e3",
                                    "idle ",
                                    "init:proc2",
                                    "pc:0x1 "};
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(t, !step(&s, bad[i]), "accepted: %s", bad[i]);
  char error[256], longest[300];
  memset(longest, 'a', sizeof longest);
  memcpy(longest, "console:", 8);
  CHECK(t, step_parse(&s, longest, STEP_TEXT_MAX, error, sizeof error), "longest text");
  CHECK(t, !step_parse(&s, longest, STEP_TEXT_MAX + 1, error, sizeof error), "overlong text");
  CHECK(t, !step_parse(&s, "idle\0", 5, error, sizeof error), "NUL inside");
}

static unsigned matches(const char *text, const char *stream) {
  struct matcher matcher;
  unsigned count = 0;
  matcher_init(&matcher, text, (unsigned)strlen(text));
  for (; *stream; stream++) count += matcher_feed(&matcher, (uint8_t)*stream);
  return count;
}

/* Against a search at every place. */
static void test_matcher(struct rig *t) {
  uint64_t seed = 3;
  CHECK(t, matches("", "abc") == 0 && matches("aa", "aaaa") == 3 && matches("login: ", "llogin: ") == 1,
        "matcher");
  for (unsigned round = 0; round < 2000; round++) {
    char text[8] = {0}, stream[200] = {0};
    for (unsigned i = 0, n = 1 + (unsigned)(rig_random(&seed) % 6); i < n; i++)
      text[i] = "ab"[rig_random(&seed) & 1];
    for (unsigned i = 0; i < sizeof stream - 1; i++) stream[i] = "ab"[rig_random(&seed) & 1];
    unsigned want = 0;
    for (const char *at = stream; (at = strstr(at, text)); at++) want++;
    CHECK(t, matches(text, stream) == want, "%s in %s", text, stream);
  }
}

int main(void) {
  struct rig *t = calloc(1, sizeof *t);
  test_good(t);
  test_bad(t);
  test_steps(t);
  test_matcher(t);
  int status = rig_finish(t);
  free(t);
  return status;
}
