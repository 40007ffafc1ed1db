#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/queue.h"

struct file_device {
  struct block_device block;
  struct block_queue queue;
  pthread_t thread;
  atomic_bool closing;
  int fd;
};

static int read_all(int fd, uint8_t *buffer, uint64_t length, uint64_t offset) {
  while (length > 0) {
    ssize_t got = pread(fd, buffer, length, (off_t)offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    if (got == 0) return -EIO; /* somebody cut the file short */
    buffer += got, offset += (uint64_t)got, length -= (uint64_t)got;
  }
  return 0;
}

static int write_all(int fd, const uint8_t *buffer, uint64_t length, uint64_t offset) {
  while (length > 0) {
    ssize_t put = pwrite(fd, buffer, length, (off_t)offset);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return put < 0 ? -errno : -EIO;
    buffer += put, offset += (uint64_t)put, length -= (uint64_t)put;
  }
  return 0;
}

static int discard(int fd, uint64_t offset, uint64_t length) {
  static const uint8_t zeros[64 << 10];
  if (length == 0) return 0;
  if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length) == 0) return 0;
  while (length > 0) { /* a file system without holes */
    uint64_t part = length < sizeof zeros ? length : sizeof zeros;
    int error = write_all(fd, zeros, part, offset);
    if (error) return error;
    offset += part, length -= part;
  }
  return 0;
}

static int perform(struct file_device *device, struct block_request *request) {
  switch (request->op) {
  case BLOCK_READ: return read_all(device->fd, request->buffer, request->length, request->offset);
  case BLOCK_WRITE: return write_all(device->fd, request->buffer, request->length, request->offset);
  case BLOCK_DISCARD: return discard(device->fd, request->offset, request->length);
  case BLOCK_CONTROL: return -ENOTSUP;
  case BLOCK_FLUSH: return !device->block.read_only && fdatasync(device->fd) ? -errno : 0;
  }
  return -EINVAL;
}

static void *io_thread(void *opaque) {
  struct file_device *device = opaque;
  for (;;) {
    uint64_t count;
    struct block_request *request = block_queue_take(&device->queue);
    if (request)
      block_queue_end(&device->queue, request, perform(device, request));
    else if (atomic_load_explicit(&device->closing, memory_order_acquire))
      return NULL;
    else if (read(device->queue.wake_fd, &count, sizeof count) < 0 && errno != EINTR)
      return NULL;
  }
}

static void file_submit(struct block_device *block, struct block_request *request) {
  block_queue_put(&((struct file_device *)block)->queue, request);
}

static void file_wait(struct block_device *block, struct block_request *request) {
  block_queue_wait(&((struct file_device *)block)->queue, request);
}

static void file_close(struct block_device *block) {
  struct file_device *device = (struct file_device *)block;
  atomic_store_explicit(&device->closing, true, memory_order_release);
  block_queue_wake(&device->queue);
  pthread_join(device->thread, NULL);
  if (!block->read_only) fdatasync(device->fd);
  close(device->fd);
  block_queue_free(&device->queue);
  free(device);
}

static const struct block_ops file_ops = {.submit = file_submit, .wait = file_wait, .close = file_close};

/* The file's size in whole sectors; 0 with a reason when it cannot be a disk. */
static uint64_t disk_size(int fd, const char *path, char *reason, uint64_t reason_size) {
  struct stat status;
  off_t end = fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode))
                  ? lseek(fd, 0, SEEK_END)
                  : -1;
  if (end >= BLOCK_SECTOR) return (uint64_t)end / BLOCK_SECTOR * BLOCK_SECTOR;
  snprintf(reason, reason_size, "%s: %s", path,
           end < 0 ? "not a file or block device" : "too small for a disk");
  return 0;
}

struct block_device *block_file_open(const char *path, bool read_only, char *reason, uint64_t reason_size) {
  int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
  if (fd < 0) {
    snprintf(reason, reason_size, "cannot open disk %s: %s", path, strerror(errno));
    return NULL;
  }
  uint64_t size = disk_size(fd, path, reason, reason_size);
  struct file_device *device = size ? calloc(1, sizeof *device) : NULL;
  if (device && block_queue_init(&device->queue)) {
    device->fd = fd;
    device->block = (struct block_device){.ops = &file_ops, .size = size, .read_only = read_only};
    /* The file's I/O thread has nothing to poll but its queue, so it may sleep in read. */
    fcntl(device->queue.wake_fd, F_SETFL, 0);
    if (pthread_create(&device->thread, NULL, io_thread, device) == 0) return &device->block;
    block_queue_free(&device->queue);
  }
  if (size) snprintf(reason, reason_size, "%s: no memory or threads for a disk", path);
  free(device);
  close(fd);
  return NULL;
}
