/* The guest's first disk, /dev/vda, as a program sees it: through the page cache. */
#define _GNU_SOURCE
#include "workload.h"

#include <fcntl.h>
#include <unistd.h>

#define DISK_PATH "/dev/vda"

enum { CHUNK = 1 << 20, PAGE = 4096 };

static int disk_open(int flags) {
  int fd = open(DISK_PATH, flags | O_CLOEXEC);
  if (fd < 0) workload_fail("cannot open " DISK_PATH);
  return fd;
}

/* scale: megabytes, read in order with read-ahead. One word of each page goes into the checksum. */
uint64_t workload_disk_read(uint32_t scale) {
  uint64_t *buffer = workload_alloc(CHUNK), sum = MIX_START;
  int fd = disk_open(O_RDONLY);
  posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* what an earlier reader left in memory */
  posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  for (uint32_t i = 0; i < scale; i++) {
    if (read(fd, buffer, CHUNK) != CHUNK) workload_fail("short read");
    for (size_t at = 0; at < CHUNK / sizeof *buffer; at += PAGE / sizeof *buffer) sum = mix(sum, buffer[at]);
  }
  return sum;
}

/* scale: pages written one by one, each followed by a flush that must reach stable storage. */
uint64_t workload_disk_flush(uint32_t scale) {
  uint64_t *page = workload_alloc(PAGE), sum = MIX_START;
  int fd = disk_open(O_RDWR);
  for (uint32_t i = 0; i < scale; i++) {
    off_t at = (off_t)(i * 37 % 1024) * PAGE;
    page[0] = i;
    if (pwrite(fd, page, PAGE, at) != PAGE || fdatasync(fd) != 0) workload_fail("write");
    sum = mix(sum, i);
  }
  return sum;
}
