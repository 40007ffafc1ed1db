#include "vm/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_kind {
  KIND_TEXT,
  KIND_FLAG,
  KIND_SIZE,
  KIND_COUNT,
  KIND_SEED,
  KIND_ENGINE,
  KIND_CONSOLE,
  KIND_INPUT,
  KIND_IDLE,
  KIND_POWEROFF,
};

struct option {
  const char *name;
  enum option_kind kind;
  size_t offset;
  const char *default_text, *argument, *doc;
};

static const struct option options[] = {
#define OPTION(name, member, kind, default_text, argument, doc)                                              \
  {name, KIND_##kind, offsetof(struct config, member), default_text, argument, doc},
#include "vm/options.def"
#undef OPTION
};

enum { OPTION_COUNT = sizeof options / sizeof *options };

static bool parse_number(const char *text, bool suffix, uint64_t *value) {
  char *end;
  errno = 0;
  if (*text < '0' || *text > '9') return false;
  *value = strtoull(text, &end, 0);
  if (errno) return false;
  unsigned shift = 0;
  if (suffix && *end) {
    static const char letters[] = "KMG";
    const char *letter = strchr(letters, *end & ~0x20);
    if (!letter || !*letter) return false;
    shift = (unsigned)(letter - letters + 1) * 10;
    end++;
  }
  if (*end || *value > UINT64_MAX >> shift) return false;
  *value <<= shift;
  return true;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  char lower = (char)(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool parse_seed(const char *text, uint8_t seed[SEED_BYTES]) {
  if (strlen(text) != 2 * SEED_BYTES) return false;
  for (unsigned i = 0; i < SEED_BYTES; i++) {
    int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    seed[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

/* Position of text among the alternatives of "a|b|c". */
static bool parse_choice(const char *text, const char *choices, int *value) {
  size_t length = strlen(text);
  for (int i = 0;; i++) {
    size_t n = strcspn(choices, "|");
    if (n == length && memcmp(choices, text, n) == 0) {
      *value = i;
      return true;
    }
    if (!choices[n]) return false;
    choices += n + 1;
  }
}

static bool set_option(struct config *config, const struct option *option, const char *text) {
  void *member = (char *)config + option->offset;
  switch (option->kind) {
  case KIND_TEXT: *(option_text *)member = text; return true;
  case KIND_FLAG: *(option_flag *)member = true; return true;
  case KIND_SIZE: return parse_number(text, true, member) && *(uint64_t *)member > 0;
  case KIND_COUNT: return parse_number(text, false, member);
  case KIND_SEED: return parse_seed(text, member);
  default: return parse_choice(text, option->argument, member);
  }
}

static const struct option *find_option(const char *name, size_t length) {
  for (unsigned i = 0; i < OPTION_COUNT; i++)
    if (strlen(options[i].name) == length && memcmp(options[i].name, name, length) == 0) return &options[i];
  return NULL;
}

bool memory_allowed(uint64_t bytes) {
  const uint64_t mib = 1 << 20;
  return bytes >= 16 * mib && bytes <= 65536 * mib && bytes % (2 * mib) == 0;
}

static bool check(const struct config *config, char *error, size_t size) {
  const char *problem = NULL;
  bool machine = config->bios || config->kernel;
  if (!config->bare && !config->db && !machine)
    problem = "nothing to run: give --bare, --bios and --kernel, or --db";
  else if (!!config->bare + !!config->db + machine > 1)
    problem = "--bare, --db and --bios/--kernel exclude each other";
  else if (machine && !(config->bios && config->kernel))
    problem = "--bios and --kernel belong together";
  else if (config->paused && !config->control)
    problem = "--paused needs --control";
  else if (config->replay && config->input_log)
    problem = "--replay and --input-log exclude each other";
  else if (config_past(config) && (!config->db || config->replay || config->input_log || config->checkpoint))
    problem =
        "--replay-boot and --replay-from belong to --db, without --replay, --input-log and --checkpoint";
  else if (config->replay_to && !config_past(config))
    problem = "--replay-to belongs to --replay-boot";
  else if (config->memory && !memory_allowed(config->memory))
    problem = "--memory must be a multiple of 2M between 16M and 64G";
  else if (config->orphan_timeout == 0 || config->orphan_timeout > 86400)
    problem = "--orphan-timeout must be 1 to 86400";
  else if (config->view_timeout == 0 || config->view_timeout > 86400)
    problem = "--view-timeout must be 1 to 86400";
  else if (config->view_pool < 64 << 10 || config->view_pool > UINT64_C(64) << 30)
    problem = "--view-pool must be 64K to 64G";
  else if (config->net && config->bare)
    problem = "--bare has no network";
  else if (config->rtc_base > UINT64_MAX / 1000000000 / 2)
    problem = "--rtc-base is too large";
  if (problem) snprintf(error, size, "%s", problem);
  return !problem;
}

enum config_result config_parse(struct config *config, int argc, char **argv, char *error,
                                size_t error_size) {
  memset(config, 0, sizeof *config);
  for (unsigned i = 0; i < OPTION_COUNT; i++)
    if (options[i].default_text) set_option(config, &options[i], options[i].default_text);
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) return CONFIG_HELP;
    size_t length = strncmp(word, "--", 2) == 0 ? strcspn(word + 2, "=") : 0;
    const struct option *option = length ? find_option(word + 2, length) : NULL;
    if (!option) {
      snprintf(error, error_size, "unknown argument \"%s\"; see --help", word);
      return CONFIG_ERROR;
    }
    bool attached = word[2 + length] == '=', wants = option->kind != KIND_FLAG;
    const char *value = attached ? word + 3 + length : wants && i + 1 < argc ? argv[++i] : NULL;
    if (wants != (value != NULL)) {
      snprintf(error, error_size, wants ? "--%s needs %s" : "--%s takes no value", option->name,
               wants ? option->argument : "");
      return CONFIG_ERROR;
    }
    if (!set_option(config, option, value)) {
      snprintf(error, error_size, "--%s: \"%s\" is not %s", option->name, value, option->argument);
      return CONFIG_ERROR;
    }
  }
  return check(config, error, error_size) ? CONFIG_RUN : CONFIG_ERROR;
}

char *config_help(void) {
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  if (!out) return NULL;
  fputs("usage: linuxsql-vm --bare FILE [options]\n"
        "       linuxsql-vm --bios FILE --kernel FILE [options]\n"
        "       linuxsql-vm --db CONNINFO --machine NAME [options]\n\n",
        out);
  for (unsigned i = 0; i < OPTION_COUNT; i++) {
    const struct option *option = &options[i];
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    fprintf(out, "  %-28s %s", left, option->doc);
    bool show = option->default_text && strlen(option->default_text) < 10;
    fprintf(out, show ? " (%s)\n" : "%s\n", show ? option->default_text : "");
  }
  return fclose(out) == 0 ? text : NULL;
}
