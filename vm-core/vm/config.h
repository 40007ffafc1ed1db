/* The command line: one table (options.def) gives parsing, checking, defaults and --help. Start-up, main
 * thread. */
#ifndef VM_CONFIG_H
#define VM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dev/chacha20.h"
#include "exec/run.h"

enum console_choice { CONSOLE_NONE, CONSOLE_STDIO };
enum input_choice { INPUT_UART, INPUT_VIRTIO };
enum idle_choice { IDLE_PACE, IDLE_JUMP };
enum poweroff_choice { POWEROFF_EXIT, POWEROFF_HOLD };

typedef const char *option_text;
typedef bool option_flag;
typedef uint64_t option_number;
typedef uint8_t option_seed[SEED_BYTES];

#define MEMBER_TYPE_TEXT     option_text
#define MEMBER_TYPE_FLAG     option_flag
#define MEMBER_TYPE_SIZE     option_number
#define MEMBER_TYPE_COUNT    option_number
#define MEMBER_TYPE_SEED     option_seed
#define MEMBER_TYPE_ENGINE   enum engine_kind
#define MEMBER_TYPE_CONSOLE  enum console_choice
#define MEMBER_TYPE_INPUT    enum input_choice
#define MEMBER_TYPE_IDLE     enum idle_choice
#define MEMBER_TYPE_POWEROFF enum poweroff_choice

/* Texts point into argv. A SIZE or TEXT without default is 0 or NULL when not given. */
struct config {
#define OPTION(name, member, kind, default_text, argument, doc) MEMBER_TYPE_##kind member;
#include "vm/options.def"
#undef OPTION
};

/* Whether a past life of a machine is replayed from the database. */
static inline bool config_past(const struct config *config) {
  return config->replay_boot || config->replay_from;
}

enum config_result { CONFIG_RUN, CONFIG_HELP, CONFIG_ERROR };

/* CONFIG_ERROR: one line without newline in `error`. Options may be written --name VALUE or --name=VALUE. */
enum config_result config_parse(struct config *config, int argc, char **argv, char *error, size_t error_size);

/* Sizes guest RAM may have. */
bool memory_allowed(uint64_t bytes);

/* The text of --help; the caller frees it. NULL: no memory. */
char *config_help(void);

#endif
