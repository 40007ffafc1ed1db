/* Landlock, the part of vm/confine.h about files that may be changed. */
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vm/confine.h"

/* Newer than the headers of some hosts. */
enum {
  RIGHT_REFER = 1 << 13,    /* version 2 */
  RIGHT_TRUNCATE = 1 << 14, /* version 3 */
};

enum {
  RIGHTS_MAKE = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                LANDLOCK_ACCESS_FS_MAKE_SYM,
  RIGHTS_REMOVE = LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR,
  RIGHTS_SOCKET = LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_WRITE_FILE |
                  LANDLOCK_ACCESS_FS_REMOVE_FILE,
  RIGHTS_DUMP = LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE,
};

static uint64_t all_rights(long version) {
  uint64_t rights = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHTS_MAKE | RIGHTS_REMOVE;
  if (version >= 2) rights |= RIGHT_REFER;
  if (version >= 3) rights |= RIGHT_TRUNCATE;
  return rights;
}

static bool add_rule(int rules, const char *path, uint64_t rights) {
  struct landlock_path_beneath_attr rule = {.allowed_access = rights,
                                            .parent_fd = open(path, O_PATH | O_CLOEXEC)};
  bool added =
      rule.parent_fd >= 0 && syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
  if (rule.parent_fd >= 0) close(rule.parent_fd);
  return added;
}

static bool add_folder_rule(int rules, const char *path, uint64_t rights) {
  char folder[4096] = ".";
  const char *slash = strrchr(path, '/');
  if (slash) {
    size_t length = slash == path ? 1 : (size_t)(slash - path);
    if (length >= sizeof folder) return false;
    memcpy(folder, path, length);
    folder[length] = '\0';
  }
  return add_rule(rules, folder, rights);
}

/* A path that is not there gets no rule: opening it will say so. */
static void add_rules(int rules, const struct confine_paths *paths, uint64_t handled) {
  if (paths->socket) add_folder_rule(rules, paths->socket, RIGHTS_SOCKET & handled);
  if (paths->disk) add_rule(rules, paths->disk, LANDLOCK_ACCESS_FS_WRITE_FILE);
  if (paths->dump) add_folder_rule(rules, paths->dump, RIGHTS_DUMP & handled);
}

bool confine_files(const struct confine_paths *paths) {
  long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return false;
  struct landlock_ruleset_attr attributes = {.handled_access_fs = all_rights(version)};
  int rules = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
  if (rules < 0) return false;
  add_rules(rules, paths, attributes.handled_access_fs);
  bool on = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_landlock_restrict_self, rules, 0) == 0;
  close(rules);
  return on;
}
