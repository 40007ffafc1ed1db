#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/checkpoint.h"
#include "store/stream.h"

enum { RUN_PAGES = 64, PRESENCE_PIECE = 16 << 10, ROUNDS = 8, FEW_PAGES = 64 };

static int control(struct disk_save *disk, struct disk_control *control) {
  struct block_request request = {.op = BLOCK_CONTROL, .buffer = control};
  block_submit(&disk->store->session->disk->block, &request);
  return block_wait(&request);
}

static bool fail(struct disk_save *disk, int error) {
  const char *message = error == -EMLINK
                            ? "the disk has too many layers: delete checkpoints that are not needed"
                            : "the disk could not be sealed for the checkpoint";
  if (error == -ENOMEM)
    state_fail(&disk->save->error, "53200", "out of memory");
  else
    state_fail(&disk->save->error, error == -EMLINK ? "54000" : "58030", message);
  return false;
}

static uint64_t number(const PGresult *row, int column) {
  return strtoull(PQgetvalue(row, 0, column), NULL, 10);
}

static PGresult *query(struct disk_save *disk, const char *sql, int count, const uint64_t *words) {
  char numbers[3][24];
  const char *values[3];
  for (int i = 0; i < count; i++) {
    snprintf(numbers[i], sizeof numbers[i], "%llu", (unsigned long long)words[i]);
    values[i] = numbers[i];
  }
  return state_query(disk->store, sql, count, values, &disk->save->error);
}

/* INV_READ: a descriptor reads what was committed when it was opened. */
static bool open_leaf(struct disk_save *disk) {
  const uint64_t words[] = {disk->at->lo[disk->at->map.leaf]};
  PGresult *row = query(disk, "select lo_open($1, 262144)", 1, words);
  if (row) snprintf(disk->descriptor, sizeof disk->descriptor, "%s", PQgetvalue(row, 0, 0));
  PQclear(row);
  return row != NULL;
}

bool disk_save_begin(struct disk_save *disk) {
  struct disk_control go = {.kind = DISK_SEAL_GO};
  if (!disk->at) return true; /* without a disk */
  disk->taken = calloc(disk->at->map.pages / 64 + 1, sizeof *disk->taken);
  if (!disk->taken) return fail(disk, -ENOMEM);
  if (!open_leaf(disk)) return false;
  int error = control(disk, &go);
  return !error || fail(disk, error);
}

/* Over the leaf, which gets no bytes from this transaction's commit on. */
static bool make_layer(struct disk_save *disk) {
  const uint64_t words[] = {disk->store->session->machine, disk->store->session->fence, disk->at->leaf_layer};
  if (disk->layer) return true;
  disk->presence = calloc(1, (disk->at->map.pages + 3) / 4);
  if (!disk->presence) return fail(disk, -ENOMEM);
  PGresult *row =
      query(disk, "select layer, lo, presence_lo from linuxsql.begin_saved_disk($1, $2, $3)", 3, words);
  if (row) {
    disk->layer = number(row, 0);
    disk->lo = (uint32_t)number(row, 1);
    disk->presence_lo = (uint32_t)number(row, 2);
  }
  PQclear(row);
  return row != NULL;
}

static bool is_set(const uint64_t *bits, uint64_t page) { return bits[page / 64] >> page % 64 & 1; }

/* Take the pages out that were copied; how many are left. */
static uint64_t only_new(const struct disk_save *disk, uint64_t *changed) {
  uint64_t count = 0;
  for (uint64_t word = 0; word <= disk->at->map.pages / 64; word++) {
    changed[word] &= ~disk->taken[word];
    count += (uint64_t)__builtin_popcountll(changed[word]);
    disk->taken[word] |= changed[word];
  }
  return count;
}

/* Of an image in a file or device, which the server does not read. */
static bool put_source(struct disk_save *disk, struct stream *stream, uint64_t first, uint64_t count) {
  uint8_t bytes[PAGE_BYTES];
  for (uint64_t page = first; page < first + count; page++) {
    off_t at = (off_t)(disk->at->source_offset + page * PAGE_BYTES);
    if (pread(disk->at->source, bytes, sizeof bytes, at) != (ssize_t)sizeof bytes) {
      snprintf(stream->link->error, sizeof stream->link->error, "cannot read the image below the disk");
      return false;
    }
    if (!stream_put(stream, disk->lo, page * PAGE_BYTES, bytes, sizeof bytes)) return false;
  }
  return true;
}

static bool copy_run(struct disk_save *disk, struct stream *stream, uint64_t first, uint64_t count) {
  uint8_t owner = disk->at->map.owner[first];
  bool leaf = owner == disk->at->map.leaf;
  if (owner == 0 && disk->at->source >= 0) return put_source(disk, stream, first, count);
  struct link_values values = {0};
  link_add_int4(&values, disk->lo);
  link_add_int8(&values, first * PAGE_BYTES);
  link_add_int4(&values, leaf ? (uint32_t)strtoul(disk->descriptor, NULL, 10) : disk->at->lo[owner]);
  link_add_int4(&values, (uint32_t)(count * PAGE_BYTES));
  return stream_send(stream, leaf ? "copy_leaf" : "copy", &values);
}

static bool copy_pages(struct disk_save *disk, struct stream *stream, const uint64_t *changed) {
  const struct page_map *map = &disk->at->map;
  for (uint64_t page = 0; page < map->pages;) {
    uint64_t first = page, count = 1;
    if (!changed[page / 64]) page |= 63;
    page++;
    if (!is_set(changed, first)) continue;
    bool data = map->owner[first] < OWNER_ZERO_SEALING;
    while (data && count < RUN_PAGES && page < map->pages && is_set(changed, page) &&
           map->owner[page] == map->owner[first])
      page++, count++;
    for (uint64_t i = first; i < first + count; i++)
      disk->presence[i / 4] |= (uint8_t)((data ? PRESENCE_DATA : PRESENCE_ZERO) << i % 4 * 2);
    if (data && !copy_run(disk, stream, first, count)) return false;
  }
  return true;
}

static bool put_presence(struct disk_save *disk, struct stream *stream) {
  uint64_t bytes = (disk->at->map.pages + 3) / 4;
  for (uint64_t offset = 0; offset < bytes; offset += PRESENCE_PIECE) {
    size_t size = bytes - offset < PRESENCE_PIECE ? (size_t)(bytes - offset) : PRESENCE_PIECE;
    const uint8_t *piece = disk->presence + offset;
    if (piece[0] == 0 && memcmp(piece, piece + 1, size - 1) == 0) continue;
    if (!stream_put(stream, disk->presence_lo, offset, piece, size)) return false;
  }
  return true;
}

/* Pages in `changed` (freed here) that are not taken yet; *count: how many those were. */
static bool take(struct disk_save *disk, uint64_t *changed, bool last, uint64_t *count) {
  struct stream stream;
  bool good = true;
  *count = only_new(disk, changed);
  if (*count || (last && disk->layer))
    good = make_layer(disk) &&
           stream_end(&stream,
                      stream_begin(&stream, &disk->store->link) && copy_pages(disk, &stream, changed) &&
                          (!last || put_presence(disk, &stream)),
                      &disk->save->error);
  free(changed);
  return good;
}

/* The machine goes on over the leaf, which is sealed. */
static bool push(struct disk_save *disk) {
  const uint64_t words[] = {disk->store->session->machine, disk->store->session->fence};
  PGresult *row =
      query(disk, "select layer, lo, presence_lo from linuxsql.push_running_disk_layer($1, $2)", 2, words);
  if (row) {
    disk->end.leaf_layer = number(row, 0);
    disk->end.lo = (uint32_t)number(row, 1);
    disk->end.presence_lo = (uint32_t)number(row, 2);
  }
  PQclear(row);
  return row != NULL;
}

/* Most is copied while the guest's flushes go on, so that they stand for the rest only. */
bool disk_save_finish(struct disk_save *disk) {
  struct disk_control changed = {.kind = DISK_SEAL_CHANGED}, stop = {.kind = DISK_SEAL_STOP};
  uint64_t count = FEW_PAGES + 1;
  if (!disk->at) return true;
  for (int round = 0; round < ROUNDS && count > FEW_PAGES; round++) {
    int error = control(disk, &changed);
    if (error) return fail(disk, error);
    if (!take(disk, changed.changed, false, &count)) return false;
  }
  int error = control(disk, &stop);
  if (error) return fail(disk, error);
  return take(disk, stop.changed, true, &count) && push(disk);
}

uint64_t disk_save_layer(const struct disk_save *disk) {
  return !disk->at ? 0 : disk->layer ? disk->layer : disk->at->leaf_layer;
}

void disk_save_end(struct disk_save *disk, enum disk_kept kept) {
  disk->end.kind = DISK_SEAL_END;
  disk->end.kept = kept == DISK_KEPT;
  if (disk->at && kept != DISK_UNKNOWN) control(disk, &disk->end);
  if (disk->at) disk_chain_free(disk->at);
  free(disk->at);
  free(disk->taken);
  free(disk->presence);
}
