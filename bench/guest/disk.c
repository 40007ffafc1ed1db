/* The guest's first disk, /dev/vda, as a program sees it: through the page cache, and past it (O_DIRECT). */
#define _GNU_SOURCE
#include "workload.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define DISK_PATH "/dev/vda"

enum { CHUNK = 1 << 20, PAGE = 4096, AGAIN_CHUNKS = 32 };

static int disk_open(int flags) {
  int fd = open(DISK_PATH, flags | O_CLOEXEC);
  if (fd < 0) workload_fail("cannot open " DISK_PATH);
  return fd;
}

/* Page-aligned, as O_DIRECT wants it. */
static uint64_t *disk_buffer(size_t size) {
  void *buffer = NULL;
  if (posix_memalign(&buffer, PAGE, size) != 0) workload_fail("out of memory");
  return buffer;
}

/* One word of each page. */
static uint64_t mix_pages(uint64_t sum, const uint64_t *buffer) {
  for (size_t at = 0; at < CHUNK / sizeof *buffer; at += PAGE / sizeof *buffer) sum = mix(sum, buffer[at]);
  return sum;
}

/* scale: megabytes, read in order with read-ahead. */
uint64_t workload_disk_read(uint32_t scale) {
  uint64_t *buffer = disk_buffer(CHUNK), sum = MIX_START;
  int fd = disk_open(O_RDONLY);
  posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* what an earlier reader left in memory */
  posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  for (uint32_t i = 0; i < scale; i++) {
    if (read(fd, buffer, CHUNK) != CHUNK) workload_fail("short read");
    sum = mix_pages(sum, buffer);
  }
  return sum;
}

static uint64_t read_direct(uint32_t chunks, uint32_t region) {
  uint64_t *buffer = disk_buffer(CHUNK), sum = MIX_START;
  int fd = disk_open(O_RDONLY | O_DIRECT);
  for (uint32_t i = 0; i < chunks; i++) {
    if (pread(fd, buffer, CHUNK, (off_t)(i % region) * CHUNK) != CHUNK) workload_fail("short read");
    sum = mix_pages(sum, buffer);
  }
  return sum;
}

/* scale: megabytes, read in order past the guest's page cache, a megabyte at a time. */
uint64_t workload_disk_direct(uint32_t scale) { return read_direct(scale, scale); }

/* scale: megabytes, as above, of the same 32 again and again: what is below the guest has them by then. */
uint64_t workload_disk_again(uint32_t scale) { return read_direct(scale, AGAIN_CHUNKS); }

/* scale: megabytes, written in order through the page cache and flushed once at the end. */
uint64_t workload_disk_write(uint32_t scale) {
  uint64_t *buffer = disk_buffer(CHUNK), sum = MIX_START;
  int fd = disk_open(O_RDWR);
  for (uint32_t i = 0; i < scale; i++) {
    for (size_t at = 0; at < CHUNK / sizeof *buffer; at++) buffer[at] = sum += 0x9e3779b97f4a7c15;
    if (write(fd, buffer, CHUNK) != CHUNK) workload_fail("short write");
  }
  if (fdatasync(fd) != 0) workload_fail("flush");
  return sum;
}

/* A page somewhere on the disk; the same ones every time. */
static off_t somewhere(int fd, uint64_t *state) {
  uint64_t pages = (uint64_t)lseek(fd, 0, SEEK_END) / PAGE;
  *state = *state * 6364136223846793005 + 1442695040888963407;
  return (off_t)((*state >> 33) % pages) * PAGE;
}

/* scale: pages read one by one, past the page cache. */
uint64_t workload_disk_random_read(uint32_t scale) {
  uint64_t *page = disk_buffer(PAGE), sum = MIX_START, state = 1;
  int fd = disk_open(O_RDONLY | O_DIRECT);
  for (uint32_t i = 0; i < scale; i++) {
    if (pread(fd, page, PAGE, somewhere(fd, &state)) != PAGE) workload_fail("short read");
    sum = mix(sum, page[0]);
  }
  return sum;
}

/* scale: pages written one by one, past the page cache, and flushed once at the end. */
uint64_t workload_disk_random_write(uint32_t scale) {
  uint64_t *page = disk_buffer(PAGE), sum = MIX_START, state = 2;
  int fd = disk_open(O_RDWR | O_DIRECT);
  for (uint32_t i = 0; i < scale; i++) {
    for (size_t at = 0; at < PAGE / sizeof *page; at++) page[at] = sum += 0x9e3779b97f4a7c15;
    if (pwrite(fd, page, PAGE, somewhere(fd, &state)) != PAGE) workload_fail("short write");
  }
  if (fdatasync(fd) != 0) workload_fail("flush");
  return sum;
}

/* scale: pages written one by one, each followed by a flush that must reach stable storage. */
uint64_t workload_disk_flush(uint32_t scale) {
  uint64_t *page = disk_buffer(PAGE), sum = MIX_START;
  int fd = disk_open(O_RDWR);
  for (uint32_t i = 0; i < scale; i++) {
    off_t at = (off_t)(i * 37 % 1024) * PAGE;
    page[0] = i;
    if (pwrite(fd, page, PAGE, at) != PAGE || fdatasync(fd) != 0) workload_fail("write");
    sum = mix(sum, i);
  }
  return sum;
}
