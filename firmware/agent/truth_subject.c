/*
 * truth_subject: a process with something of everything, for tests that compare relations
 * with the guest's own /proc.
 *
 *   truth_subject [THREADS]     default 3, at most 64, besides the main thread
 *
 * It has: named threads; a private, a shared and a file mapping whose pages it has touched;
 * one mapped area made unreadable; descriptors of a file at an offset, a deleted file, a pipe,
 * a Unix socket, a UDP socket, epoll, eventfd and timerfd; a working directory and an
 * environment of its own. Then it prints one line, "truth_subject PID ready", and sleeps
 * until it is killed. Any failure is printed and ends it with status 1.
 */

#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#define PAGE        4096
#define AREA        (64 * PAGE)
#define MAX_THREADS 64
#define FOLDER      "/tmp/truth_subject"

static int checked(int result, const char *what) {
  if (result < 0) err(1, "%s", what);
  return result;
}

static void *mapped(void *area, const char *what) {
  if (area == MAP_FAILED) err(1, "%s", what);
  return area;
}

static void *sleep_forever(void *unused) {
  (void)unused;
  for (;;) pause();
  return NULL;
}

static void start_threads(int count) {
  pthread_t thread;
  char name[16];

  for (int i = 1; i <= count; i++) {
    snprintf(name, sizeof(name), "subject-%d", i);
    if (pthread_create(&thread, NULL, sleep_forever, NULL) != 0) errx(1, "no thread %d", i);
    if (pthread_setname_np(thread, name) != 0) errx(1, "thread %d takes no name", i);
  }
}

/* A file of AREA bytes, left open at offset 4096. */
static int open_file(const char *name) {
  char page[PAGE];
  int fd = checked(open(name, O_RDWR | O_CREAT | O_TRUNC, 0640), name);

  memset(page, 'x', sizeof(page));
  for (int i = 0; i < AREA / PAGE; i++) checked(write(fd, page, sizeof(page)) == PAGE ? 0 : -1, "write");
  checked(lseek(fd, PAGE, SEEK_SET), "lseek");
  return fd;
}

static void make_mappings(int file) {
  const int rw = PROT_READ | PROT_WRITE;
  char *private_area = mapped(mmap(NULL, AREA, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "private");
  char *shared_area = mapped(mmap(NULL, AREA, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0), "shared");
  char *file_area = mapped(mmap(NULL, AREA, PROT_READ, MAP_SHARED, file, 0), "file mapping");
  char *closed_area = mapped(mmap(NULL, AREA, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "closed");
  volatile char seen = 0;

  memset(private_area, 1, AREA);
  memset(shared_area, 2, AREA / 2);
  for (int i = 0; i < AREA; i += PAGE) seen = (char)(seen + file_area[i]);
  memset(closed_area, 3, AREA);
  checked(mprotect(closed_area, AREA, PROT_NONE), "mprotect");
}

static void open_sockets(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = FOLDER "/socket"};
  struct sockaddr_in port = {.sin_family = AF_INET, .sin_port = htons(5353)};
  int local = checked(socket(AF_UNIX, SOCK_STREAM, 0), "unix socket");
  int udp = checked(socket(AF_INET, SOCK_DGRAM, 0), "udp socket");

  unlink(name.sun_path);
  checked(bind(local, (struct sockaddr *)&name, sizeof(name)), "bind unix socket");
  checked(listen(local, 5), "listen");
  port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  checked(bind(udp, (struct sockaddr *)&port, sizeof(port)), "bind udp socket");
}

static void open_event_descriptors(void) {
  int ends[2];
  int poll = checked(epoll_create1(EPOLL_CLOEXEC), "epoll");
  struct epoll_event event = {.events = EPOLLIN};

  checked(pipe(ends), "pipe");
  checked(epoll_ctl(poll, EPOLL_CTL_ADD, ends[0], &event), "epoll_ctl");
  checked(eventfd(7, EFD_CLOEXEC), "eventfd");
  checked(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "timerfd");
}

int main(int argc, char **argv) {
  int threads = argc > 1 ? atoi(argv[1]) : 3;

  if (argc > 2 || threads < 0 || threads > MAX_THREADS)
    errx(2, "usage: truth_subject [THREADS up to %d]", MAX_THREADS);
  mkdir(FOLDER, 0755);
  checked(chdir(FOLDER), FOLDER);
  make_mappings(open_file("file"));
  open_file("deleted");
  checked(unlink("deleted"), "unlink");
  open_sockets();
  open_event_descriptors();
  start_threads(threads);
  printf("truth_subject %d ready\n", (int)getpid());
  fflush(stdout);
  sleep_forever(NULL);
}
