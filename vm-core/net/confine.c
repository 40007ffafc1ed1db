#include "net/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Every right of Landlock's first version: from executing to making symbolic links. */
enum { LANDLOCK_ALL_FS = (1 << 13) - 1 };
#ifdef __SANITIZE_ADDRESS__ /* it reserves far more than it uses */
#define MEMORY_MAX RLIM_INFINITY
#else
#define MEMORY_MAX (UINT64_C(512) << 20)
#endif

static bool limit(int resource, uint64_t value) {
  struct rlimit limits = {value, value};
  return setrlimit(resource, &limits) == 0;
}

/* Hostile frames can make libraries talk: nobody listens. */
static bool silence(void) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  bool done = null >= 0;
  for (int fd = STDIN_FILENO; done && fd <= STDERR_FILENO; fd++) done = dup2(null, fd) >= 0;
  if (null > STDERR_FILENO) close(null);
  return done;
}

/* Started by root it would keep root's. */
static bool drop_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
  return syscall(SYS_capset, &header, none) == 0;
}

/* What the daemon was started with and did not know of. */
static bool close_others(void) { return syscall(SYS_close_range, NET_FD_REQUESTS + 1, UINT32_MAX, 0) == 0; }

bool confine_process(void) {
  return close_others() && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
         prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0 &&
         drop_capabilities() && chdir("/") == 0 && silence() && limit(RLIMIT_CORE, 0) &&
         limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NOFILE, CONFINE_FILES) && limit(RLIMIT_AS, MEMORY_MAX);
}

static bool allow_resolver(int rules) {
  struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE};
  rule.parent_fd = open("/etc/resolv.conf", O_PATH | O_CLOEXEC);
  if (rule.parent_fd < 0) return false;
  bool added = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
  close(rule.parent_fd);
  return added;
}

bool confine_files(enum net_access access) {
  struct landlock_ruleset_attr attributes = {.handled_access_fs = LANDLOCK_ALL_FS};
  int rules = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
  if (rules < 0) return false;
  bool resolver = access != NET_ISOLATED && allow_resolver(rules);
  bool confined = syscall(SYS_landlock_restrict_self, rules, 0) == 0;
  close(rules);
  return confined && resolver;
}
