/* A plain file as a disk: order of requests, limits, holes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"
#include "test/rig.h"

static struct rig rig;
#define EXPECT(...) CHECK(&rig, __VA_ARGS__)

enum { SIZE = 1 << 20, DEPTH = 32 };

static int done(struct block_device *disk, enum block_op op, uint64_t offset, uint64_t length, void *buffer) {
  struct block_request request = {.op = op, .offset = offset, .length = length, .buffer = buffer};
  block_submit(disk, &request);
  return block_wait(&request);
}

static void check_order(struct block_device *disk) {
  static uint8_t buffers[DEPTH][4096];
  static uint8_t result[4096];
  struct block_request requests[DEPTH] = {0}, last = {0};
  for (int i = 0; i < DEPTH; i++) {
    memset(buffers[i], i + 1, sizeof buffers[i]);
    block_submit_write(disk, 4096, sizeof buffers[i], buffers[i], &requests[i]);
  }
  block_submit_read(disk, 4096, sizeof result, result, &last);
  EXPECT(block_wait(&last) == 0 && result[0] == DEPTH && result[4095] == DEPTH,
         "a read sees every write before it");
  for (int i = 0; i < DEPTH; i++) EXPECT(block_wait(&requests[i]) == 0, "write %d", i);
}

static void check_limits(struct block_device *disk) {
  static uint8_t buffer[4096];
  EXPECT(done(disk, BLOCK_READ, SIZE, 512, buffer) == -EINVAL, "past the end");
  EXPECT(done(disk, BLOCK_READ, SIZE - 512, 1024, buffer) == -EINVAL, "over the end");
  EXPECT(done(disk, BLOCK_READ, 100, 512, buffer) == -EINVAL, "not a sector");
  EXPECT(done(disk, BLOCK_READ, UINT64_MAX - 511, 512, buffer) == -EINVAL, "around the end of the numbers");
  EXPECT(done(disk, BLOCK_WRITE, 0, (uint64_t)BLOCK_REQUEST_MAX + 512, buffer) == -EINVAL, "too long");
  EXPECT(done(disk, BLOCK_READ, SIZE - 512, 512, buffer) == 0, "the last sector");
  EXPECT(done(disk, BLOCK_READ, 0, 0, buffer) == 0, "nothing at all");
  EXPECT(done(disk, BLOCK_FLUSH, 0, 0, NULL) == 0, "flush");
}

static void check_discard(struct block_device *disk) {
  static uint8_t buffer[4096], zeros[4096];
  memset(buffer, 7, sizeof buffer);
  EXPECT(done(disk, BLOCK_WRITE, 8192, sizeof buffer, buffer) == 0, "write");
  EXPECT(done(disk, BLOCK_DISCARD, 8192 + 512, 1024, NULL) == 0, "discard");
  EXPECT(done(disk, BLOCK_READ, 8192, sizeof buffer, buffer) == 0, "read");
  EXPECT(buffer[511] == 7 && memcmp(buffer + 512, zeros, 1024) == 0 && buffer[1536] == 7,
         "exactly the range is zero");
  EXPECT(done(disk, BLOCK_DISCARD, 0, SIZE, NULL) == 0, "discard everything");
  EXPECT(done(disk, BLOCK_READ, 8192, sizeof buffer, buffer) == 0 && memcmp(buffer, zeros, 4096) == 0,
         "all zero");
}

int main(void) {
  char path[] = "/tmp/file_test-XXXXXX", reason[256];
  uint8_t sector[512] = {0};
  int fd = mkstemp(path);
  EXPECT(fd >= 0 && ftruncate(fd, SIZE + 100) == 0, "a file");
  struct block_device *disk = block_file_open(path, false, reason, sizeof reason);
  EXPECT(disk && disk->size == SIZE, "whole sectors only");
  if (disk) {
    check_order(disk);
    check_limits(disk);
    check_discard(disk);
    block_close(disk);
  }
  disk = block_file_open(path, true, reason, sizeof reason);
  EXPECT(disk && done(disk, BLOCK_WRITE, 0, 512, sector) == -EROFS, "read-only");
  EXPECT(disk && done(disk, BLOCK_FLUSH, 0, 0, NULL) == 0, "flush of a read-only disk");
  block_close(disk);
  EXPECT(!block_file_open("/tmp", false, reason, sizeof reason), "a folder is no disk");
  EXPECT(!block_file_open("/nonexistent/disk", false, reason, sizeof reason), "nothing is no disk");
  unlink(path);
  close(fd);
  return rig_finish(&rig);
}
