/*
 * Runs workloads on request, as the only process of a guest (it is /init) or as a program of the host.
 *
 *   workload list               one line each: name, kind, title
 *   workload serve              takes requests from standard input; as process 1 this is the default
 *   workload run NAME [SCALE]   one workload, for profiling
 *
 * A request is a line "NAME [SCALE]". The answer is "@start NAME", then, when the workload is done, "@end
 * NAME CHECKSUM" or "@failed NAME". "@ready" is printed when requests are taken. "off" ends it; process 1
 * powers the machine off.
 */
#include "workload.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static const char *const kind_names[] = {
    [INTEGER] = "integer", [FLOATING] = "floating", [SYSTEM] = "system", [DISK] = "disk"};

static const struct workload workloads[] = {
#define WORKLOAD(name, title, kind, units) {#name, title, kind, units, workload_##name},
#include "workloads.def"
#undef WORKLOAD
};

#define COUNT (sizeof workloads / sizeof *workloads)

void workload_fail(const char *what) {
  fprintf(stderr, "workload: %s\n", what);
  _exit(1);
}

void *workload_alloc(size_t bytes) {
  void *memory = calloc(1, bytes);
  if (memory == NULL) workload_fail("out of memory");
  return memory;
}

static const struct workload *find(const char *name) {
  for (size_t i = 0; i < COUNT; i++) {
    if (strcmp(workloads[i].name, name) == 0) return &workloads[i];
  }
  return NULL;
}

static long long microseconds(const struct timeval *time) {
  return (long long)time->tv_sec * 1000000 + time->tv_usec;
}

/* In a process of its own: memory is returned, and a crash fails one workload alone. */
static bool run(const struct workload *workload, uint32_t scale) {
  struct rusage usage;
  int status = 0;
  pid_t child;

  printf("@start %s\n", workload->name);
  fflush(stdout);
  child = fork();
  if (child == 0) {
    printf("@end %s %016llx\n", workload->name, (unsigned long long)workload->run(scale));
    fflush(stdout);
    _exit(0);
  }
  if (child > 0 && wait4(child, &status, 0, &usage) == child && WIFEXITED(status) &&
      WEXITSTATUS(status) == 0) {
    printf("@used %s %lld\n", workload->name, microseconds(&usage.ru_utime) + microseconds(&usage.ru_stime));
    fflush(stdout);
    return true;
  }
  printf("@failed %s\n", workload->name);
  fflush(stdout);
  return false;
}

static void silence_terminal(void) {
  struct termios terminal;

  if (tcgetattr(STDIN_FILENO, &terminal) != 0) return;
  terminal.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
  tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
}

static void serve(void) {
  char line[128];

  silence_terminal();
  printf("@ready\n");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    char name[64];
    unsigned scale = 0;
    const struct workload *workload;

    if (sscanf(line, "%63s %u", name, &scale) < 1) continue;
    if (strcmp(name, "off") == 0) break;
    workload = find(name);
    if (workload != NULL)
      run(workload, scale != 0 ? scale : workload->scale);
    else
      printf("@failed %s\n", name);
    fflush(stdout);
  }
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";

  if (getpid() == 1) {
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL); /* where it is there already, good */
    serve();
    reboot(RB_POWER_OFF);
    return 1;
  }
  if (strcmp(mode, "list") == 0) {
    for (size_t i = 0; i < COUNT; i++)
      printf("%s %s %s\n", workloads[i].name, kind_names[workloads[i].kind], workloads[i].title);
    return 0;
  }
  if (strcmp(mode, "serve") == 0) {
    serve();
    return 0;
  }
  if (strcmp(mode, "run") == 0 && argc > 2 && find(argv[2]) != NULL) {
    const struct workload *workload = find(argv[2]);
    return run(workload, argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : workload->scale) ? 0 : 1;
  }
  fprintf(stderr, "usage: workload list | serve | run NAME [SCALE]\n");
  return 2;
}
