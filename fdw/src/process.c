#include "src/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/fd.h"
#include "utils/timestamp.h"

#define FIRST_DELAY_MS 200
#define LAST_DELAY_MS  30000
#define STEADY_MS      60000 /* a process that lived this long had not failed */

static int open_pid_file(const struct process *process) {
  char *path = psprintf("%s/%s.pid", process->folder, process->name);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

  if (fd < 0) ereport(LOG, (errcode_for_file_access(), errmsg("could not open file \"%s\": %m", path)));
  pfree(path);
  return fd;
}

static pid_t read_pid(int fd) {
  char text[32] = {0};
  long pid;

  if (pread(fd, text, sizeof text - 1, 0) <= 0) return 0;
  pid = strtol(text, NULL, 10);
  return pid > 1 && pid <= PG_INT32_MAX ? (pid_t)pid : 0;
}

static void delay_next_start(struct process *process) {
  TimestampTz now = GetCurrentTimestamp();
  int delay = FIRST_DELAY_MS;

  if (TimestampDifferenceExceeds(process->started, now, STEADY_MS)) process->failures = 0;
  for (int i = 0; i < process->failures && delay < LAST_DELAY_MS; i++) delay *= 2;
  process->failures++;
  process->next_start = TimestampTzPlusMilliseconds(now, Min(delay, LAST_DELAY_MS));
}

static bool look_at_child(struct process *process) {
  int status;
  pid_t ended = waitpid(process->pid, &status, WNOHANG);

  if (ended == 0) return true;
  process->ended_well = ended == process->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (ended == process->pid && WIFSIGNALED(status))
    ereport(LOG, (errmsg("%s (process %d) was ended by signal %d", process->name, process->pid,
                         WTERMSIG(status))));
  else
    ereport(LOG, (errmsg("%s (process %d) ended with status %d", process->name, process->pid,
                         ended == process->pid ? WEXITSTATUS(status) : -1)));
  process->pid = 0;
  process->ours = false;
  if (process->ended_well) /* it was told to, which is no failure */
    process->failures = 0;
  else
    delay_next_start(process);
  return false;
}

bool process_look(struct process *process) {
  bool was_running = process->pid != 0;
  int fd;

  if (process->ours) return look_at_child(process);
  fd = open_pid_file(process);
  if (fd < 0) return false;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    process->pid = read_pid(fd);
    if (!was_running) {
      process->started = GetCurrentTimestamp();
      ereport(LOG, (errmsg("adopted %s (process %d)", process->name, process->pid)));
    }
    close(fd);
    return true;
  }
  close(fd);
  process->pid = 0;
  if (!was_running) return false;
  ereport(LOG, (errmsg("%s has ended", process->name)));
  delay_next_start(process);
  return false;
}

bool process_may_start(const struct process *process) { return GetCurrentTimestamp() >= process->next_start; }

static int open_log(const struct process *process) {
  char *folder = psprintf("%s/log", process->folder);
  char *path = psprintf("%s/%s.log", folder, process->name);
  int fd;

  (void)mkdir(folder, 0700);
  fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) ereport(LOG, (errcode_for_file_access(), errmsg("could not open file \"%s\": %m", path)));
  pfree(path);
  pfree(folder);
  return fd;
}

/* In the child, between fork and exec: only async-signal-safe calls. The lock goes on as descriptor 3. */
static void become(const struct process *process, char *const *argv, int lock, int log) {
  sigset_t none;
  int null = open("/dev/null", O_RDONLY), score;

  setsid();
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (lock == 3 || log == 3 || null == 3) {
    lock = fcntl(lock, F_DUPFD, 10);
    log = fcntl(log, F_DUPFD, 10);
    null = fcntl(null, F_DUPFD, 10);
  }
  if (dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 || dup2(lock, 3) < 0) _exit(126);
#ifdef SYS_close_range
  if (syscall(SYS_close_range, 4U, ~0U, 0U) != 0)
#endif
    for (int fd = 4; fd < 4096; fd++) close(fd);
  score = open("/proc/self/oom_score_adj", O_WRONLY);
  if (score >= 0) {
    (void)!write(score, "0", 1);
    close(score);
  }
  if (process->nice != 0) (void)!nice(process->nice);
  if (chdir("/") == 0) execv(argv[0], argv);
  _exit(127);
}

bool process_start(struct process *process, char *const *argv) {
  int lock = open_pid_file(process), log = lock >= 0 ? open_log(process) : -1;
  sigset_t all, before;
  pid_t pid = -1;

  if (log < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (lock >= 0) close(lock);
    if (log >= 0) close(log);
    delay_next_start(process);
    return false;
  }
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  pid = fork();
  if (pid == 0) become(process, argv, lock, log);
  sigprocmask(SIG_SETMASK, &before, NULL);
  process->started = GetCurrentTimestamp();
  if (pid > 0) {
    char text[32];
    int length = snprintf(text, sizeof text, "%d\n", (int)pid);

    if (ftruncate(lock, 0) != 0 || pwrite(lock, text, (size_t)length, 0) != length)
      ereport(LOG,
              (errcode_for_file_access(), errmsg("could not write the pid file of %s: %m", process->name)));
    process->pid = pid;
    process->ours = true;
    process->ended_well = false;
    ereport(LOG, (errmsg("started %s (process %d)", process->name, (int)pid)));
  } else {
    ereport(LOG, (errmsg("could not fork %s: %m", process->name)));
    delay_next_start(process);
  }
  close(lock);
  close(log);
  return pid > 0;
}

void process_terminate(struct process *process) {
  if (process->pid > 1) kill(process->pid, SIGTERM);
}
