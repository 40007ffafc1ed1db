/*
 * The first process of a nested machine: runs workloads, and linuxsql-vm, on request. The machine it starts
 * boots the same firmware and kernel with an initramfs that has this program again.
 *
 * A request is a line:
 *   run NAME [SCALE]   /workload run NAME [SCALE]
 *   vm ENGINE          /linuxsql-vm with the images of /inner, on this console; then "@vm STATUS", and
 *                      "@stats TEXT", what it wrote as --stats
 *   off                powers the machine off
 * "@ready LEVEL" is printed when requests are taken; LEVEL is the variable of that name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define STATS "/tmp/stats"

static void prepare(void) {
  struct termios terminal;
  mount("devtmpfs", "/dev", "devtmpfs", 0, NULL); /* where it is there already, good */
  mkdir("/proc", 0755);
  mount("proc", "/proc", "proc", 0, NULL);
  mkdir("/tmp", 0755);
  mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
  if (tcgetattr(STDIN_FILENO, &terminal) != 0) return;
  terminal.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
  tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
}

/* Its wait status, or -1. */
static int run(char *const arguments[]) {
  int status = -1;
  pid_t child = fork();
  if (child == 0) {
    execv(arguments[0], arguments);
    _exit(127);
  }
  if (child < 0 || waitpid(child, &status, 0) != child) return -1;
  return status;
}

static void print_stats(void) {
  FILE *file = fopen(STATS, "r");
  int c;
  if (file == NULL) return;
  printf("@stats ");
  while ((c = getc(file)) != EOF) putchar(c == '\n' ? ' ' : c);
  putchar('\n');
  fclose(file);
}

static void run_machine(char *engine) {
  const char *memory = getenv("inner_memory"), *level = getenv("level");
  char append[128];
  snprintf(append, sizeof append, "console=ttyS0 quiet inner_memory=96M level=%d",
           atoi(level ? level : "1") + 1);
  char *arguments[] = {"/linuxsql-vm",
                       "--bios",
                       "/inner/firmware",
                       "--kernel",
                       "/inner/kernel",
                       "--initrd",
                       "/inner/initramfs",
                       "--append",
                       append,
                       "--memory",
                       (char *)(memory ? memory : "96M"),
                       "--console",
                       "stdio",
                       "--stats",
                       STATS,
                       "--engine",
                       engine,
                       NULL};
  unlink(STATS);
  int status = run(arguments);
  printf("@vm %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  print_stats();
}

static void serve(char *line) {
  char name[64], scale[32];
  int words = sscanf(line, "run %63s %31s", name, scale);
  if (words >= 1)
    run((char *[]){"/workload", "run", name, words > 1 ? scale : NULL, NULL});
  else if (sscanf(line, "vm %63s", name) == 1)
    run_machine(name);
  else if (strncmp(line, "off", 3) == 0)
    reboot(RB_POWER_OFF);
  fflush(stdout);
}

int main(void) {
  char line[128];
  const char *level = getenv("level");
  prepare();
  printf("@ready %s\n", level ? level : "1");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) serve(line);
  reboot(RB_POWER_OFF);
  return 1;
}
