/* The filter of vm/confine.c and the file rules of vm/confine_files.c, each put on in a child that then tries
 * what it must not do. */
#include "vm/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/rig.h"

enum { NOT_CONFINED = 100, WRONG = 101 };

static const struct confine_needs nothing = {0};

/* Wait status of a child that is confined and then calls `try`. */
static int in_child(const struct confine_needs *needs, int (*try)(void)) {
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) _exit(confine(needs) == CONFINE_ON ? try() : NOT_CONFINED);
  int status = -1;
  waitpid(pid, &status, 0);
  return status;
}

static int exit_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }

/* errno of a raw call, 0 if it went through. */
static int try_call(long number, long a, long b, long c, long d) {
  errno = 0;
  return syscall(number, a, b, c, d) < 0 ? errno : 0;
}

#define TEXT(literal) ((long)(intptr_t)(literal))
#define ATTEMPT(name, number, a, b, c, d)                                                                    \
  static int name(void) { return try_call(number, a, b, c, d); }

ATTEMPT(open_for_reading, SYS_openat, AT_FDCWD, TEXT("/etc/passwd"), O_RDONLY, 0)
ATTEMPT(open_for_writing, SYS_openat, AT_FDCWD, TEXT("/tmp/linuxsql-confine"), O_WRONLY | O_CREAT, 0600)
ATTEMPT(open_a_path, SYS_openat, AT_FDCWD, TEXT("/"), O_PATH, 0)
ATTEMPT(look_at_a_file, SYS_faccessat, AT_FDCWD, TEXT("/etc/passwd"), R_OK, 0)
ATTEMPT(read_a_link, SYS_readlinkat, AT_FDCWD, TEXT("/proc/self/exe"), TEXT("x"), 0)
ATTEMPT(remove_a_file, SYS_unlinkat, AT_FDCWD, TEXT("/tmp/linuxsql-confine"), 0, 0)
ATTEMPT(make_a_folder, SYS_mkdirat, AT_FDCWD, TEXT("/tmp/linuxsql-confine"), 0700, 0)
ATTEMPT(change_rights, SYS_fchmodat, AT_FDCWD, TEXT("/tmp"), 0777, 0)
ATTEMPT(change_folder, SYS_chdir, TEXT("/"), 0, 0, 0)
ATTEMPT(unix_socket, SYS_socket, AF_UNIX, SOCK_STREAM, 0, 0)
ATTEMPT(tcp_socket, SYS_socket, AF_INET, SOCK_STREAM, 0, 0)
ATTEMPT(netlink_socket, SYS_socket, AF_NETLINK, SOCK_RAW, 0, 0)
ATTEMPT(packet_socket, SYS_socket, AF_PACKET, SOCK_RAW, 0, 0)
ATTEMPT(listen_anew, SYS_listen, 0, 1, 0, 0)
ATTEMPT(fork_off, SYS_clone, SIGCHLD, 0, 0, 0)
ATTEMPT(fork_by_clone3, SYS_clone3, 0, 0, 0, 0)
ATTEMPT(new_namespace, SYS_unshare, CLONE_NEWUSER, 0, 0, 0)
ATTEMPT(io_uring, SYS_io_uring_setup, 1, 0, 0, 0)
ATTEMPT(kill_another, SYS_kill, 1, 0, 0, 0)
ATTEMPT(signal_another, SYS_tgkill, 1, 1, 0, 0)
ATTEMPT(type_into_terminal, SYS_ioctl, 0, 0x5412 /* TIOCSTI */, 0, 0)
ATTEMPT(raise_a_limit, SYS_prlimit64, 0, 7, TEXT("0123456789abcdef"), 0)
ATTEMPT(writable_code, SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS)
ATTEMPT(code_out_of_data, SYS_mprotect, 0, 0, PROT_READ | PROT_EXEC, 0)
ATTEMPT(run_a_program, SYS_execve, TEXT("/bin/true"), 0, 0, 0)
ATTEMPT(trace_the_parent, SYS_ptrace, 16 /* PTRACE_ATTACH */, 1, 0, 0)
ATTEMPT(write_into_another, SYS_process_vm_writev, 1, 0, 0, 0)
ATTEMPT(open_by_handle, SYS_open_by_handle_at, 0, 0, 0, 0)
ATTEMPT(become_root, SYS_setuid, 0, 0, 0, 0)

static const struct attempt {
  const char *name;
  int (*try)(void);
  int error;
} refused[] = {
    {"open for reading", open_for_reading, EPERM},
    {"open for writing", open_for_writing, EPERM},
    {"open a path", open_a_path, EPERM},
    {"look at a file", look_at_a_file, EPERM},
    {"read a link", read_a_link, EPERM},
    {"remove a file", remove_a_file, EPERM},
    {"make a folder", make_a_folder, EPERM},
    {"change rights", change_rights, EPERM},
    {"change folder", change_folder, EPERM},
    {"unix socket", unix_socket, EPERM},
    {"tcp socket", tcp_socket, EPERM},
    {"netlink socket", netlink_socket, EPERM},
    {"packet socket", packet_socket, EPERM},
    {"listen", listen_anew, EPERM},
    {"fork", fork_off, EPERM},
    {"clone3", fork_by_clone3, ENOSYS},
    {"unshare", new_namespace, EPERM},
    {"io_uring", io_uring, EPERM},
    {"kill", kill_another, EPERM},
    {"tgkill", signal_another, EPERM},
    {"TIOCSTI", type_into_terminal, EPERM},
    {"prlimit", raise_a_limit, EPERM},
    {"writable code", writable_code, EPERM},
    {"mprotect to code", code_out_of_data, EPERM},
};

static const struct attempt deadly[] = {
    {"execve", run_a_program, 0},
    {"ptrace", trace_the_parent, 0},
    {"process_vm_writev", write_into_another, 0},
    {"open_by_handle_at", open_by_handle, 0},
    {"setuid", become_root, 0},
};

static void test_refused(struct rig *t) {
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    int status = in_child(&nothing, refused[i].try);
    CHECK(t, exit_code(status) == refused[i].error, "%s: wait status 0x%x", refused[i].name, status);
  }
  for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) {
    int status = in_child(&nothing, deadly[i].try);
    CHECK(t, WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: wait status 0x%x", deadly[i].name,
          status);
  }
}

/* What a machine without a database does in its daily life. */
static void *count_up(void *opaque) {
  (*(int *)opaque)++;
  return NULL;
}

static int daily_life(void) {
  int count = 0;
  pthread_t thread;
  if (pthread_create(&thread, NULL, count_up, &count) != 0 || pthread_join(thread, NULL) != 0) return WRONG;
  int fd = memfd_create("confine", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, 4096) != 0) return WRONG;
  char *write_map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *exec_map = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  if (write_map == MAP_FAILED || exec_map == MAP_FAILED) return WRONG;
  write_map[0] = 42;
  char *much = malloc(64 << 20);
  if (!much || exec_map[0] != 42 || close(fd) != 0) return WRONG;
  free(much);
  struct stat status;
  uint64_t one = 1;
  int event = eventfd(0, EFD_CLOEXEC);
  bool good = fstat(event, &status) == 0 && write(event, &one, sizeof one) == sizeof one;
  return good && count == 1 ? 0 : WRONG;
}

static int aborts(void) { abort(); }

static void test_allowed(struct rig *t) {
  int status = in_child(&nothing, daily_life);
  CHECK(t, exit_code(status) == 0, "threads, memory, descriptors: wait status 0x%x", status);
  status = in_child(&nothing, aborts);
  CHECK(t, WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "abort: wait status 0x%x", status);
  struct confine_needs connect = {.connect = true}, internet = {.connect = true, .internet = true};
  struct confine_needs reading = {.connect = true, .read = true};
  CHECK(t, exit_code(in_child(&connect, unix_socket)) == 0, "Unix sockets for PostgreSQL");
  CHECK(t, exit_code(in_child(&connect, tcp_socket)) == EPERM, "TCP without need");
  CHECK(t, exit_code(in_child(&connect, open_for_reading)) == EPERM, "files without need");
  CHECK(t, exit_code(in_child(&internet, tcp_socket)) == 0, "TCP for PostgreSQL");
  CHECK(t, exit_code(in_child(&internet, netlink_socket)) == EPERM, "netlink");
  CHECK(t, exit_code(in_child(&reading, open_for_reading)) == 0, "certificates");
  CHECK(t, exit_code(in_child(&reading, open_for_writing)) == EPERM, "writing where reading is needed");
}

/* Threads that run already are confined too. */
struct early {
  atomic_bool go;
  int error;
};

static void *wait_and_open(void *opaque) {
  struct early *early = opaque;
  while (!atomic_load(&early->go)) sched_yield();
  early->error = open_for_reading();
  return NULL;
}

static int confine_with_thread(void) {
  struct early early = {.error = WRONG};
  pthread_t thread;
  if (pthread_create(&thread, NULL, wait_and_open, &early) != 0) return WRONG;
  bool on = confine(&nothing) == CONFINE_ON;
  atomic_store(&early.go, true);
  pthread_join(thread, NULL);
  return on ? early.error : NOT_CONFINED;
}

/* As the kernel tells it, read through a descriptor opened before. */
static int confine_and_ask(void) {
  char text[4096] = {0};
  int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (fd < 0 || confine(&nothing) != CONFINE_ON) return NOT_CONFINED;
  if (pread(fd, text, sizeof text - 1, 0) <= 0) return WRONG;
  return strstr(text, "\nNoNewPrivs:\t1\n") && strstr(text, "\nSeccomp:\t2\n") ? 0 : WRONG;
}

/* Only what was named may be changed, whatever the user could do otherwise. */
static int try_files(void) {
  struct confine_paths paths = {.socket = "run/vm.sock", .disk = "disk", .dump = "dumps/code"};
  if (!confine_files(&paths)) return NOT_CONFINED;
  struct {
    const char *path;
    int flags;
    bool allowed;
  } opens[] = {
      {"run/vm.sock.lock", O_RDWR | O_CREAT, true},
      {"disk", O_RDWR, true},
      {"dumps/code", O_WRONLY | O_CREAT | O_TRUNC, true},
      {"other", O_RDONLY, true},
      {"other", O_RDWR, false},
      {"new", O_WRONLY | O_CREAT, false},
      {"disk2", O_WRONLY | O_CREAT, false},
  };
  for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
    int fd = open(opens[i].path, opens[i].flags, 0600);
    if ((fd >= 0) != opens[i].allowed || (fd < 0 && errno != EACCES)) return 10 + (int)i;
    if (fd >= 0) close(fd);
  }
  if (unlink("other") == 0 || unlink("disk") == 0 || mkdir("folder", 0700) == 0) return 2;
  if (unlink("run/vm.sock.lock") != 0) return 3;
  return confine(&(struct confine_needs){.remove = true}) == CONFINE_ON && unlink("other") != 0 &&
                 errno == EACCES && unlink("run/old") == 0
             ? 0
             : 4;
}

static void make_file(const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT, 0600);
  if (fd >= 0) close(fd);
}

static int confine_files_and_try(void) {
  char folder[] = "/tmp/linuxsql-confine-XXXXXX";
  if (!mkdtemp(folder) || chdir(folder) != 0 || mkdir("run", 0700) != 0 || mkdir("dumps", 0700) != 0)
    return WRONG;
  make_file("disk");
  make_file("other");
  make_file("run/old");
  int status = 0;
  pid_t pid = fork();
  if (pid == 0) _exit(try_files());
  waitpid(pid, &status, 0);
  unlink("disk");
  unlink("other");
  unlink("run/vm.sock.lock");
  unlink("run/old");
  unlink("dumps/code");
  rmdir("run");
  rmdir("dumps");
  rmdir(folder);
  return exit_code(status);
}

static int in_plain_child(int (*try)(void)) {
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) _exit(try());
  int status = -1;
  waitpid(pid, &status, 0);
  return exit_code(status);
}

static void test_whole(struct rig *t) {
  int code = in_plain_child(confine_with_thread);
  CHECK(t, code == EPERM, "a thread started before: %d", code);
  code = in_plain_child(confine_and_ask);
  CHECK(t, code == 0, "/proc/self/status: %d", code);
  code = in_plain_child(confine_files_and_try);
  bool absent = code == NOT_CONFINED && syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 0;
  CHECK(t, code == 0 || absent, "file rules: %d", code);
}

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = true };
#else
enum { SANITIZED = false };
#endif

int main(void) {
  struct rig t = {0};
  if (SANITIZED) {
    CHECK(&t, confine(&nothing) == CONFINE_ABSENT, "a build with sanitizers is not confined");
    return rig_finish(&t);
  }
  test_refused(&t);
  test_allowed(&t);
  test_whole(&t);
  return rig_finish(&t);
}
