/* Drives the disk of a machine from a script on standard input, for the tests of the store.
 *
 *   store_tool CONNINFO MACHINE [CACHE-BYTES [ORPHAN-SECONDS]]
 *
 * One command a line, carried out in order; lengths and offsets in bytes:
 *   w STAMP OFFSET LENGTH   write sectors that carry STAMP and their own number
 *   d OFFSET LENGTH         discard
 *   f ID                    flush; prints "flushed ID" when durable
 *   l TEXT                  append TEXT to the input log
 *   stamps FILE             read everything; one u64 a sector: its stamp, 0 = zeros, all ones = damaged
 *   dump FILE               read everything into a file
 *   r REQUEST LENGTH        read LENGTH bytes from the start by REQUEST bytes, 4 at a time; prints the rate
 *   t REQUEST LENGTH        write them, then flush; prints the rate
 *   p COUNT                 COUNT times: write 4 KB somewhere, flush; prints the median in microseconds
 *   c NAME MEGABYTES PAUSE  begin a checkpoint of the disk, with made-up RAM; PAUSE: microseconds for each 64
 * KB. "saved NAME" or "not saved NAME: SQLSTATE MESSAGE" is printed later e                       wait until
 * it has ended sleep MILLISECONDS q                       end in order End of input without q exits at once,
 * as if killed. Exit 3: the machine was lost. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/session.h"
#include "store/state.h"
#include "store/store.h"

enum { DEPTH = 4, STAMPS_PIECE = 1 << 20 };

struct sector {
  uint64_t stamp, number, check;
  uint8_t rest[BLOCK_SECTOR - 24];
};

struct slot {
  struct block_request request;
  uint8_t *buffer;
  bool used;
};

struct checkpoint {
  struct state_save save;
  uint64_t granules, pause_us;
  atomic_bool ended;
};

struct tool {
  struct session *session;
  struct state_store *state;
  struct checkpoint *checkpoint; /* NULL: none was begun */
  struct block_device *disk;
  struct slot slots[DEPTH];
  unsigned next;
};

static uint64_t mix(uint64_t x) {
  x ^= x >> 30, x *= UINT64_C(0xbf58476d1ce4e5b9);
  x ^= x >> 27, x *= UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

static void fill_sector(struct sector *sector, uint64_t stamp, uint64_t number) {
  sector->stamp = stamp;
  sector->number = number;
  sector->check = mix(stamp * 3 + number);
  for (size_t i = 0; i < sizeof sector->rest; i++)
    sector->rest[i] = (uint8_t)(sector->check >> i % 8 * 8) ^ (uint8_t)i;
}

static uint64_t read_sector(const struct sector *sector, uint64_t number) {
  static const struct sector zeros;
  struct sector expected;
  if (memcmp(sector, &zeros, sizeof zeros) == 0) return 0;
  fill_sector(&expected, sector->stamp, number);
  return memcmp(sector, &expected, sizeof expected) == 0 ? sector->stamp : UINT64_MAX;
}

static void lost(void *opaque, const char *reason) {
  (void)opaque;
  fprintf(stderr, "store_tool: %s\n", reason);
  _exit(3);
}

static void fail(const char *what, int error) {
  fprintf(stderr, "store_tool: %s: %s\n", what, strerror(-error));
  exit(error == -ESHUTDOWN ? 3 : 1);
}

static struct slot *free_slot(struct tool *tool) {
  struct slot *slot = &tool->slots[tool->next++ % DEPTH];
  int error = slot->used ? block_wait(&slot->request) : 0;
  if (error) fail("request", error);
  slot->used = true;
  return slot;
}

static void settle(struct tool *tool) {
  for (unsigned i = 0; i < DEPTH; i++) free_slot(tool)->used = false;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void write_stamped(struct tool *tool, uint64_t stamp, uint64_t offset, uint64_t length) {
  struct slot *slot = free_slot(tool);
  struct sector *sectors = (struct sector *)slot->buffer;
  for (uint64_t i = 0; i < length / BLOCK_SECTOR; i++)
    fill_sector(&sectors[i], stamp, offset / BLOCK_SECTOR + i);
  block_submit_write(tool->disk, offset, length, slot->buffer, &slot->request);
}

static void flush(struct tool *tool) {
  settle(tool);
  struct slot *slot = free_slot(tool);
  block_submit_flush(tool->disk, &slot->request);
  settle(tool);
}

static void dump(struct tool *tool, const char *path, bool stamps) {
  FILE *out = fopen(path, "wb");
  settle(tool);
  for (uint64_t offset = 0; out && offset < tool->disk->size; offset += STAMPS_PIECE) {
    uint64_t left = tool->disk->size - offset, length = left < STAMPS_PIECE ? left : STAMPS_PIECE;
    struct slot *slot = free_slot(tool);
    block_submit_read(tool->disk, offset, length, slot->buffer, &slot->request);
    int error = block_wait(&slot->request);
    if (error) fail("read", error);
    if (!stamps) fwrite(slot->buffer, length, 1, out);
    for (uint64_t i = 0; stamps && i < length / BLOCK_SECTOR; i++) {
      uint64_t stamp = read_sector((struct sector *)slot->buffer + i, offset / BLOCK_SECTOR + i);
      fwrite(&stamp, sizeof stamp, 1, out);
    }
  }
  if (!out || fclose(out)) fail(path, -errno);
  printf("dumped %s\n", path);
}

static void sweep(struct tool *tool, bool write, uint64_t request, uint64_t length) {
  for (uint64_t i = 0; i < DEPTH; i++)
    for (uint64_t j = 0; j < request / 8; j++) ((uint64_t *)tool->slots[i].buffer)[j] = mix(j + i);
  double start = seconds();
  for (uint64_t offset = 0; offset + request <= length; offset += request) {
    struct slot *slot = free_slot(tool);
    if (write)
      block_submit_write(tool->disk, offset, request, slot->buffer, &slot->request);
    else
      block_submit_read(tool->disk, offset, request, slot->buffer, &slot->request);
  }
  if (write)
    flush(tool);
  else
    settle(tool);
  printf("%s %.1f MB/s\n", write ? "written" : "read", (double)length / 1e6 / (seconds() - start));
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void ping(struct tool *tool, uint64_t count) {
  double *times = calloc(count + 1, sizeof *times);
  for (uint64_t i = 0; times && i < count; i++) {
    double start = seconds();
    write_stamped(tool, i + 1, mix(i) % (tool->disk->size / 4096) * 4096, 4096);
    flush(tool);
    times[i] = seconds() - start;
  }
  qsort(times, count, sizeof *times, by_value);
  printf("flush %.0f us\n", times[count / 2] * 1e6);
  free(times);
}

static bool prepare(void *opaque) { return opaque != NULL; }

static uint64_t next_granule(void *opaque, uint64_t granule, bool full) {
  const struct checkpoint *checkpoint = opaque;
  (void)full;
  return granule < checkpoint->granules ? granule : UINT64_MAX;
}

static void read_granule(void *opaque, uint64_t granule, uint8_t *bytes) {
  const struct checkpoint *checkpoint = opaque;
  for (uint64_t i = 0; i < GRANULE_BYTES / 8; i++)
    ((uint64_t *)bytes)[i] = mix(granule * GRANULE_BYTES + i + 1);
  usleep((useconds_t)checkpoint->pause_us);
}

static void saved(void *opaque) {
  struct checkpoint *checkpoint = opaque;
  const struct state_save *save = &checkpoint->save;
  if (save->good)
    printf("saved %s\n", save->name);
  else
    printf("not saved %s: %s %s\n", save->name, save->error.sqlstate, save->error.message);
  atomic_store(&checkpoint->ended, true);
}

static void await_checkpoint(struct tool *tool) {
  if (!tool->checkpoint) return;
  while (!atomic_load(&tool->checkpoint->ended)) usleep(1000);
  blob_free(&tool->checkpoint->save.state);
  free(tool->checkpoint);
  tool->checkpoint = NULL;
}

static void begin_checkpoint(struct tool *tool, const char *name, uint64_t megabytes, uint64_t pause_us) {
  await_checkpoint(tool);
  struct checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
  if (!checkpoint) fail("memory", -ENOMEM);
  checkpoint->granules = (megabytes << 20) / GRANULE_BYTES;
  checkpoint->pause_us = pause_us;
  struct state_save *save = &checkpoint->save;
  *save = (struct state_save){.ram_bytes = megabytes << 20,
                              .boot = tool->session->boot,
                              .has_disk = true,
                              .control = {.kind = DISK_SEAL},
                              .prepare = prepare,
                              .next = next_granule,
                              .read = read_granule,
                              .done = saved,
                              .opaque = checkpoint};
  snprintf(save->name, sizeof save->name, "%.99s", name);
  blob_put(&save->state, "state", 5);
  save->seal.op = BLOCK_CONTROL;
  save->seal.buffer = &save->control;
  block_submit(tool->disk, &save->seal);
  tool->checkpoint = checkpoint;
  if (!state_save(tool->state, save)) fail("checkpoint", -EBUSY);
}

static bool carry_out(struct tool *tool, const char *line) {
  uint64_t a, b, c;
  char text[200];
  if (sscanf(line, "w %" SCNu64 " %" SCNu64 " %" SCNu64, &a, &b, &c) == 3 && c <= BLOCK_REQUEST_MAX) {
    write_stamped(tool, a, b, c);
  } else if (sscanf(line, "d %" SCNu64 " %" SCNu64, &a, &b) == 2) {
    struct slot *slot = free_slot(tool);
    block_submit_discard(tool->disk, a, b, &slot->request);
  } else if (sscanf(line, "f %" SCNu64, &a) == 1) {
    flush(tool);
    printf("flushed %" PRIu64 "\n", a);
  } else if (sscanf(line, "l %199s", text) == 1) {
    input_log_append(&tool->session->log, 1, 2, "console", text, (uint32_t)strlen(text));
    block_queue_wake(&tool->session->queue);
  } else if (sscanf(line, "stamps %199s", text) == 1) {
    dump(tool, text, true);
  } else if (sscanf(line, "dump %199s", text) == 1) {
    dump(tool, text, false);
  } else if (sscanf(line, "r %" SCNu64 " %" SCNu64, &a, &b) == 2 && a && a <= BLOCK_REQUEST_MAX) {
    sweep(tool, false, a, b);
  } else if (sscanf(line, "t %" SCNu64 " %" SCNu64, &a, &b) == 2 && a && a <= BLOCK_REQUEST_MAX) {
    sweep(tool, true, a, b);
  } else if (sscanf(line, "p %" SCNu64, &a) == 1 && a > 0 && a <= 100000) {
    ping(tool, a);
  } else if (sscanf(line, "c %99s %" SCNu64 " %" SCNu64, text, &a, &b) == 3 && a > 0 && a <= 1024) {
    begin_checkpoint(tool, text, a, b);
  } else if (strcmp(line, "e\n") == 0) {
    await_checkpoint(tool);
  } else if (sscanf(line, "sleep %" SCNu64, &a) == 1) {
    usleep((useconds_t)a * 1000);
  } else if (strcmp(line, "q\n") == 0) {
    return false;
  } else {
    fail(line, -EINVAL);
  }
  return true;
}

static bool open_tool(struct tool *tool, int argc, char **argv) {
  char reason[600], id[24], layer[24];
  const char *const values[] = {id};
  struct session_options options = {.conninfo = argv[1],
                                    .machine = argv[2],
                                    .cache_bytes = argc > 3 ? strtoull(argv[3], NULL, 10) : 0,
                                    .orphan_timeout_s = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 60,
                                    .lost = lost};
  tool->session = session_open(&options, reason, sizeof reason);
  if (tool->session) {
    snprintf(id, sizeof id, "%" PRIu64, tool->session->machine);
    PGresult *row = link_query(&tool->session->write, "select disk_layer from linuxsql.machine where id = $1",
                               1, values, false, SESSION_CALL_MS);
    snprintf(layer, sizeof layer, "%s", row && PQntuples(row) == 1 ? PQgetvalue(row, 0, 0) : "0");
    PQclear(row);
    tool->disk = session_open_disk(tool->session, strtoull(layer, NULL, 10), reason, sizeof reason);
    bool started = tool->disk && session_start(tool->session, reason, sizeof reason);
    tool->state = started ? state_open(tool->session) : NULL;
    if (tool->state) return true;
  }
  fprintf(stderr, "store_tool: %s\n", reason);
  return false;
}

int main(int argc, char **argv) {
  struct tool tool = {0};
  char line[256];
  if (argc < 3 || !open_tool(&tool, argc, argv)) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (unsigned i = 0; i < DEPTH; i++) {
    tool.slots[i].buffer = malloc(BLOCK_REQUEST_MAX);
    if (!tool.slots[i].buffer) fail("memory", -ENOMEM);
  }
  puts("ready");
  while (fgets(line, sizeof line, stdin))
    if (!carry_out(&tool, line)) {
      struct block_counters *counters = &tool.disk->counters;
      settle(&tool);
      await_checkpoint(&tool);
      printf("hits %" PRIu64 " misses %" PRIu64 " commits %" PRIu64 " reconnects %" PRIu64 "\n",
             counters->line_hits, counters->line_misses, counters->commits, counters->reconnects);
      state_close(tool.state);
      session_close(tool.session, "closed by store_tool", false, 10000);
      for (unsigned i = 0; i < DEPTH; i++) free(tool.slots[i].buffer);
      return 0;
    }
  _exit(9);
}
