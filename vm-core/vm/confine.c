#include "vm/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#if defined(__x86_64__)
#define HOST_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define HOST_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define HOST_ARCH AUDIT_ARCH_RISCV64
#else
#error "vm/confine.c does not know this host's system calls"
#endif

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low half of an argument comes first");

enum { PROGRAM_MAX = 1024, X32_BIT = 0x40000000 };

struct program {
  struct sock_filter code[PROGRAM_MAX];
  unsigned short length;
};

static void put(struct program *program, uint16_t code, uint32_t k, uint8_t yes, uint8_t no) {
  if (program->length < PROGRAM_MAX)
    program->code[program->length++] = (struct sock_filter){code, yes, no, k};
}

static void put_return(struct program *program, uint32_t action) {
  put(program, BPF_RET | BPF_K, action, 0, 0);
}

static void put_load(struct program *program, size_t offset) {
  put(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* Skip the next `count` instructions unless it is this call, whose number is in the accumulator. */
static void put_call(struct program *program, uint32_t number, uint8_t count) {
  put(program, BPF_JMP | BPF_JEQ | BPF_K, number, 0, count);
}

static void put_plain(struct program *program, uint32_t number, uint32_t action) {
  put_call(program, number, 1);
  put_return(program, action);
}

static size_t argument(unsigned n) { return offsetof(struct seccomp_data, args) + n * sizeof(uint64_t); }

/* The call is allowed if (argument & mask) == value, or if not: `equal`; otherwise the number is back in the
 * accumulator for the next rule. */
static void put_masked(struct program *program, uint32_t number, unsigned n, uint32_t mask, uint32_t value,
                       bool equal) {
  put_call(program, number, 5);
  put_load(program, argument(n));
  put(program, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
  put(program, BPF_JMP | BPF_JEQ | BPF_K, value, equal ? 0 : 1, equal ? 1 : 0);
  put_return(program, SECCOMP_RET_ALLOW);
  put_load(program, offsetof(struct seccomp_data, nr));
}

static void put_nulled(struct program *program, uint32_t number, unsigned n) {
  put_call(program, number, 6);
  put_load(program, argument(n));
  put(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3);
  put_load(program, argument(n) + sizeof(uint32_t));
  put(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
  put_return(program, SECCOMP_RET_ALLOW);
  put_load(program, offsetof(struct seccomp_data, nr));
}

static void put_rules(struct program *program, const struct confine_needs *needs) {
#define PLAIN(name)                  put_plain(program, __NR_##name, SECCOMP_RET_ALLOW);
#define MASKED(name, n, mask, value) put_masked(program, __NR_##name, n, (uint32_t)(mask), value, true);
#define EXCEPT(name, n, mask, value) put_masked(program, __NR_##name, n, (uint32_t)(mask), value, false);
#define NULLED(name, n)              put_nulled(program, __NR_##name, n);
#define DEADLY(name)                 put_plain(program, __NR_##name, SECCOMP_RET_KILL_PROCESS);
#define FOR(need, rule)                                                                                      \
  if (needs->need) { rule }
#include "vm/syscalls.def"
#undef PLAIN
#undef MASKED
#undef EXCEPT
#undef NULLED
#undef DEADLY
#undef FOR
}

/* Another instruction set's calls have other numbers. */
static void put_arch(struct program *program) {
  put_load(program, offsetof(struct seccomp_data, arch));
  put(program, BPF_JMP | BPF_JEQ | BPF_K, HOST_ARCH, 1, 0);
  put_return(program, SECCOMP_RET_KILL_PROCESS);
  put_load(program, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
  put(program, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
  put_return(program, SECCOMP_RET_KILL_PROCESS);
#endif
}

/* The leak checker of a build with sanitizers traces its own threads and reads /proc at the end. */
#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = true };
#else
enum { SANITIZED = false };
#endif

static bool available(void) {
  uint32_t action = SECCOMP_RET_KILL_PROCESS;
  return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/* SPEC_ALLOW: without it some kernels slow down the speculation of every process with a filter, for nothing
 * here: a guest has no clock but its own instructions. */
static bool install(const struct program *program) {
  struct sock_fprog filter = {program->length, (struct sock_filter *)(uintptr_t)program->code};
  unsigned long flags = SECCOMP_FILTER_FLAG_TSYNC;
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter) ==
             0 ||
         syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter) == 0;
}

enum confine_result confine(const struct confine_needs *needs) {
  struct program program = {0};
  put_arch(&program);
  put_rules(&program, needs);
  put_plain(&program, __NR_clone3, SECCOMP_RET_ERRNO | ENOSYS);
  put_return(&program, SECCOMP_RET_ERRNO | EPERM);
  if (program.length == PROGRAM_MAX) return CONFINE_FAILED;
  if (SANITIZED || !available()) return CONFINE_ABSENT;
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && install(&program) ? CONFINE_ON : CONFINE_FAILED;
}
