#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "net/confine.h"

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define OWN_ARCH AUDIT_ARCH_RISCV64
#else
#error "the seccomp filter does not know this architecture"
#endif

/* A call that is allowed when (argument & mask) == value. */
struct rule {
  int call;
  int argument; /* NO_ARGUMENT: always */
  uint32_t mask, value;
  bool wide; /* all 64 bits of the argument count, and the upper half must be zero */
};

enum { NO_ARGUMENT = -1, PROGRAM_MAX = 512, RULE_LENGTH = 8 };

#define ALWAYS(call)                                                                                         \
  { SYS_##call, NO_ARGUMENT, 0, 0, false }

static const struct rule common[] = {
    ALWAYS(read),
    ALWAYS(write),
    ALWAYS(readv),
    ALWAYS(writev),
    ALWAYS(close),
    ALWAYS(lseek),
    ALWAYS(fstat),
    ALWAYS(fcntl),
    ALWAYS(ioctl),
    ALWAYS(ppoll),
    ALWAYS(bind),
    ALWAYS(listen),
    ALWAYS(accept),
    ALWAYS(accept4),
    ALWAYS(shutdown),
    ALWAYS(recvfrom),
    ALWAYS(recvmsg),
    ALWAYS(getsockname),
    ALWAYS(getpeername),
    ALWAYS(getsockopt),
    ALWAYS(setsockopt),
    ALWAYS(brk),
    ALWAYS(munmap),
    ALWAYS(mremap),
    ALWAYS(madvise),
    ALWAYS(futex),
    ALWAYS(clock_gettime),
    ALWAYS(gettimeofday),
    ALWAYS(getrandom),
    ALWAYS(rt_sigreturn),
    ALWAYS(rt_sigprocmask),
    ALWAYS(restart_syscall),
    ALWAYS(getpid),
    ALWAYS(exit),
    ALWAYS(exit_group),
#ifdef SYS_poll
    ALWAYS(poll),
#endif
    {SYS_mmap, 2, PROT_EXEC, 0, false},
    {SYS_mprotect, 2, PROT_EXEC, 0, false},
    {SYS_socket, 0, UINT32_MAX, AF_INET, false},
    {SYS_sendto, 4, UINT32_MAX, 0, true}, /* no address: on a connection */
};

static const struct rule beyond[] = {ALWAYS(connect), ALWAYS(sendto), ALWAYS(sendmsg)};

static const struct rule files[] = {
    {SYS_openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY, false},
#ifdef SYS_newfstatat
    ALWAYS(newfstatat),
#endif
#ifdef SYS_stat
    ALWAYS(stat),
#endif
#ifdef SYS_statx
    ALWAYS(statx),
#endif
};

struct program {
  unsigned short length;
  struct sock_filter at[PROGRAM_MAX];
};

static void emit(struct program *program, struct sock_filter instruction) {
  program->at[program->length++] = instruction;
}

static uint32_t argument_at(int argument, bool upper) {
  return (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (unsigned)argument + (upper ? 4 : 0));
}

/* The call's number is in the accumulator before and after. */
static void add_rule(struct program *program, const struct rule *rule) {
  struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  if (rule->argument == NO_ARGUMENT) {
    emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->call, 0, 1));
    emit(program, allow);
    return;
  }
  unsigned char skip = rule->wide ? 3 : 1, length = (unsigned char)(rule->wide ? 7 : 5);
  emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->call, 0, length));
  emit(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument_at(rule->argument, false)));
  emit(program, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, rule->mask));
  emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, rule->value, 0, skip));
  if (rule->wide) {
    emit(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument_at(rule->argument, true)));
    emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1));
  }
  emit(program, allow);
  emit(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
}

static void add_rules(struct program *program, const struct rule *rules, size_t count) {
  for (size_t i = 0; i < count; i++) add_rule(program, &rules[i]);
}

#define COUNT(array) (sizeof(array) / sizeof *(array))
_Static_assert((COUNT(common) + COUNT(beyond) + COUNT(files)) * RULE_LENGTH + 5 <= PROGRAM_MAX,
               "the program fits");

bool confine_calls(enum net_access access, bool resolver) {
  struct program program = {.length = 0};
  emit(&program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
  emit(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0));
  emit(&program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  emit(&program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
  add_rules(&program, common, COUNT(common));
  if (access != NET_ISOLATED) add_rules(&program, beyond, COUNT(beyond));
  if (resolver) add_rules(&program, files, COUNT(files));
  emit(&program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  struct sock_fprog filter = {program.length, program.at};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}
