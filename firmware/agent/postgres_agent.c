/*
 * postgres_agent: a small resident process of the mini root file system.
 *
 * Once a second it appends one line with the load and memory of its machine to a
 * file, so that a guest always has a process whose work is known to the tests:
 *
 *   uptime_s=12 load1=0.00 load5=0.01 load15=0.05 tasks=1/41 mem_total_kb=… mem_free_kb=…
 *   mem_available_kb=… mem_cached_kb=…
 *
 * The file never grows over LIMIT_BYTES: it is then renamed to FILE.1 and begun anew.
 * Usage: postgres_agent [FILE]. SIGTERM and SIGINT end it with status 0. Figures that
 * cannot be read are written as '?'; a full or read-only disk costs lines, not the process.
 * Sources: proc(5) for loadavg, uptime and meminfo.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_FILE "/var/log/postgres_agent.stat"
#define LIMIT_BYTES  (64 * 1024)

struct field {
  const char *key;   /* as in /proc/meminfo, with its colon */
  const char *label; /* as in our line */
};

static const struct field meminfo_fields[] = {
    {"MemTotal:", "mem_total_kb"},
    {"MemFree:", "mem_free_kb"},
    {"MemAvailable:", "mem_available_kb"},
    {"Cached:", "mem_cached_kb"},
};

/* Reads a whole small file into buf as a string; an unreadable file gives "". */
static void read_text(const char *path, char *buf, size_t size) {
  size_t used = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC);

  while (fd >= 0 && used + 1 < size) {
    ssize_t got = read(fd, buf + used, size - 1 - used);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    used += (size_t)got;
  }
  buf[used] = '\0';
  if (fd >= 0) close(fd);
}

/* Appends the number after key at the start of a line of text, or '?'. */
static void append_field(char *line, size_t size, const char *text, const struct field *field) {
  size_t key_len = strlen(field->key);
  const char *at = text;
  unsigned long value = 0;
  bool found = false;
  size_t len = strlen(line);

  while (at != NULL && !found) {
    if (strncmp(at, field->key, key_len) == 0) found = sscanf(at + key_len, "%lu", &value) == 1;
    at = strchr(at, '\n');
    if (at != NULL) at++;
  }
  if (found)
    snprintf(line + len, size - len, " %s=%lu", field->label, value);
  else
    snprintf(line + len, size - len, " %s=?", field->label);
}

static void compose_line(char *line, size_t size) {
  char text[8192];
  char load[3][16] = {"?", "?", "?"};
  char tasks[32] = "?";
  char uptime[24] = "?";

  read_text("/proc/uptime", text, sizeof(text));
  sscanf(text, "%23[0-9]", uptime);
  read_text("/proc/loadavg", text, sizeof(text));
  sscanf(text, "%15s %15s %15s %31s", load[0], load[1], load[2], tasks);
  snprintf(line, size, "uptime_s=%s load1=%s load5=%s load15=%s tasks=%s", uptime, load[0], load[1], load[2],
           tasks);

  read_text("/proc/meminfo", text, sizeof(text));
  for (size_t i = 0; i < sizeof(meminfo_fields) / sizeof(meminfo_fields[0]); i++)
    append_field(line, size, text, &meminfo_fields[i]);

  size_t len = strlen(line);
  line[len < size - 1 ? len : size - 2] = '\n';
  line[len < size - 1 ? len + 1 : size - 1] = '\0';
}

/* Opens the file for appending, first turning it over when it has reached its limit. */
static int open_log(const char *path) {
  char old[PATH_MAX];
  struct stat st;

  if (stat(path, &st) == 0 && st.st_size >= LIMIT_BYTES &&
      snprintf(old, sizeof(old), "%s.1", path) < (int)sizeof(old))
    rename(path, old);
  return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static void write_line(const char *path, const char *line) {
  size_t left = strlen(line);
  int fd = open_log(path);

  while (fd >= 0 && left > 0) {
    ssize_t put = write(fd, line, left);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) break;
    line += put;
    left -= (size_t)put;
  }
  if (fd >= 0) close(fd);
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : DEFAULT_FILE;
  char line[512];
  sigset_t stop;
  struct timespec now, next;

  if (argc > 2) {
    fprintf(stderr, "usage: postgres_agent [FILE]\n");
    return 2;
  }
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigprocmask(SIG_BLOCK, &stop, NULL);
  clock_gettime(CLOCK_MONOTONIC, &next);

  for (;;) {
    compose_line(line, sizeof(line));
    write_line(path, line);

    /* Ticks stay on whole seconds from the start; after a long stop, missed ones are dropped. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    do next.tv_sec++;
    while (next.tv_sec < now.tv_sec || (next.tv_sec == now.tv_sec && next.tv_nsec <= now.tv_nsec));
    struct timespec left = {next.tv_sec - now.tv_sec, next.tv_nsec - now.tv_nsec};
    if (left.tv_nsec < 0) {
      left.tv_sec--;
      left.tv_nsec += 1000000000L;
    }
    if (sigtimedwait(&stop, NULL, &left) > 0) return 0;
  }
}
