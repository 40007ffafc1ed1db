/* The block interface: the only part of the store that devices see.
 *
 * One thread (the hart thread) submits and waits; another (the I/O thread of the device) does the work. A
 * request takes effect in the order of submission: a read returns what every earlier write left, whatever
 * the host's timing. A write is acknowledged (done) when the cache holds it; it is durable once a flush
 * submitted after it is done. Requests may become done out of order.
 *
 * Offsets and lengths are bytes, multiples of BLOCK_SECTOR, inside the device; anything else ends with
 * -EINVAL. Errors are negative errno; -ESHUTDOWN means the device is gone for good (the database was lost
 * for longer than the limit, or another daemon took the machine): the machine must stop and the guest must
 * not be told. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { BLOCK_SECTOR = 512, BLOCK_REQUEST_MAX = 16 << 20 };

/* DISCARD makes the range read as zeros, exactly (it is WRITE_ZEROES with the right to free space). CONTROL
 * changes what stands behind a disk of the database (store/disk_control.h); plain files refuse it. */
enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_CONTROL };

/* Owned by the submitter; it and the buffer must stay put until block_done. A zeroed struct is idle. */
struct block_request {
  enum block_op op;
  uint64_t offset;
  uint64_t length; /* at most BLOCK_REQUEST_MAX for reads and writes; any for discard */
  void *buffer;    /* read: filled in; write: only read */
  int error;       /* valid once done: 0 or negative errno */
  atomic_bool done;
  /* The rest belongs to the store. */
  struct block_device *device;
  struct block_request *next;
  uint64_t commit; /* flush: the commit that makes it durable */
};

/* Counted by the I/O thread with relaxed atomics; read by anybody. Names as in schema/layout/telemetry.ts. */
struct block_counters {
  atomic_uint_fast64_t line_hits, line_misses, commits, commit_ns, reconnects;
};

struct block_ops {
  void (*submit)(struct block_device *device, struct block_request *request);
  void (*wait)(struct block_device *device, struct block_request *request);
  void (*close)(struct block_device *device);
};

struct block_device {
  const struct block_ops *ops;
  uint64_t size; /* bytes, a multiple of BLOCK_SECTOR */
  bool read_only;
  atomic_bool overflowed; /* a held disk had no room for a write (store/disk_control.h) */
  struct block_counters counters;
};

/* Start a request; returns at once and never blocks on the disk. Hart thread. */
void block_submit(struct block_device *device, struct block_request *request);
void block_submit_read(struct block_device *device, uint64_t offset, uint64_t length, void *buffer,
                       struct block_request *request);
void block_submit_write(struct block_device *device, uint64_t offset, uint64_t length, const void *buffer,
                        struct block_request *request);
void block_submit_flush(struct block_device *device, struct block_request *request);
void block_submit_discard(struct block_device *device, uint64_t offset, uint64_t length,
                          struct block_request *request);

/* Whether the request has ended; its error and buffer may be read then. Any thread. */
static inline bool block_done(const struct block_request *request) {
  return atomic_load_explicit(&request->done, memory_order_acquire);
}

/* Sleep until the request has ended; its error. Hart thread. */
int block_wait(struct block_request *request);

/* Commit what is outstanding if the database can be reached, end the I/O thread, free the device. No request
 * may be outstanding. Hart thread. */
void block_close(struct block_device *device);

/* A plain file as a disk; its size is cut down to whole sectors. NULL with a one-line reason in `reason`. */
struct block_device *block_file_open(const char *path, bool read_only, char *reason, uint64_t reason_size);

#endif
