#include "dev/virtio/blk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/blob.h"
#include "gen/telemetry.h"

enum { SEG_MAX = 126, SIZE_MAX_BYTES = 64 << 10, RANGE_MAX_SECTORS = 1 << 22 };
_Static_assert(SEG_MAX *SIZE_MAX_BYTES <= BLK_REQUEST_BYTES, "a request within the limits fits");
_Static_assert(SEG_MAX + 2 <= VIRTQ_SEGMENTS_MAX, "a request within the limits is one chain");

/* One request in flight. A request the store has no part in (errors, GET_ID) has store = false. */
struct blk_slot {
  struct blk *blk;
  struct event completion;
  struct block_request request;
  bool store;
  uint32_t type;
  uint8_t status;
  uint8_t *buffer;
  uint64_t length; /* of buffer */
  struct virtq_chain chain;
};

static unsigned slot_number(const struct blk_slot *slot) { return (unsigned)(slot - slot->blk->slots); }

static void release(struct blk_slot *slot) {
  struct blk *blk = slot->blk;
  free(slot->buffer);
  slot->buffer = NULL;
  blk->flight_bytes -= slot->length;
  slot->length = 0;
  blk->state.due_ns[slot_number(slot)] = blk->state.request[slot_number(slot)] = 0;
}

static uint64_t host_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int wait_for_store(struct blk *blk, struct block_request *request) {
  if (block_done(request)) return request->error;
  uint64_t start = host_ns();
  blk->owner.waiting(blk->owner.opaque, true);
  int error = block_wait(request);
  blk->owner.waiting(blk->owner.opaque, false);
  telemetry_count(blk->virtio.telemetry, COUNTER_HOST_WAIT_NS, host_ns() - start);
  return error;
}

static void count_done(struct blk *blk, const struct blk_slot *slot) {
  struct telemetry *telemetry = blk->virtio.telemetry;
  if (slot->status != VIRTIO_BLK_S_OK) {
    telemetry_count(telemetry, COUNTER_BLK_ERRORS, 1);
  } else if (slot->type == VIRTIO_BLK_T_IN) {
    telemetry_count(telemetry, COUNTER_BLK_READS, 1);
    telemetry_count(telemetry, COUNTER_BLK_READ_BYTES, slot->length);
  } else if (slot->type == VIRTIO_BLK_T_OUT) {
    telemetry_count(telemetry, COUNTER_BLK_WRITES, 1);
    telemetry_count(telemetry, COUNTER_BLK_WRITE_BYTES, slot->length);
  } else if (slot->type == VIRTIO_BLK_T_FLUSH) {
    telemetry_count(telemetry, COUNTER_BLK_FLUSHES, 1);
  }
}

static void serve(struct blk *blk);

static void complete(void *opaque) {
  struct blk_slot *slot = opaque;
  struct blk *blk = slot->blk;
  int error = slot->store ? wait_for_store(blk, &slot->request) : 0;
  if (error == -ESHUTDOWN) {
    blk->lost = true;
    release(slot);
    blk->owner.lost(blk->owner.opaque);
    return;
  }
  if (error) slot->status = VIRTIO_BLK_S_IOERR;
  uint64_t data = slot->chain.writable_bytes - 1;
  bool reads = slot->type == VIRTIO_BLK_T_IN || slot->type == VIRTIO_BLK_T_GET_ID;
  if (reads && slot->status == VIRTIO_BLK_S_OK)
    virtq_scatter(blk->virtio.bus, &slot->chain, 0, slot->buffer, slot->length);
  virtq_scatter(blk->virtio.bus, &slot->chain, data, &slot->status, 1);
  count_done(blk, slot);
  uint16_t head = slot->chain.head;
  uint32_t written = (uint32_t)(reads && slot->status == VIRTIO_BLK_S_OK ? slot->length + 1 : 1);
  release(slot);
  virtio_push(&blk->virtio, 0, head, written);
  serve(blk);
}

static bool in_device(const struct blk *blk, uint64_t sector, uint64_t bytes) {
  uint64_t sectors = blk->device->size / BLOCK_SECTOR;
  return bytes % BLOCK_SECTOR == 0 && sector <= sectors && bytes / BLOCK_SECTOR <= sectors - sector;
}

static bool take_buffer(struct blk_slot *slot, uint64_t length) {
  slot->buffer = length <= BLK_REQUEST_BYTES ? malloc(length ? length : 1) : NULL;
  if (!slot->buffer) return false;
  slot->length = length;
  slot->blk->flight_bytes += length;
  return true;
}

static uint8_t start_read(struct blk_slot *slot, uint64_t sector) {
  struct blk *blk = slot->blk;
  uint64_t length = slot->chain.writable_bytes - 1;
  if (length == 0 || !in_device(blk, sector, length) || !take_buffer(slot, length)) return VIRTIO_BLK_S_IOERR;
  slot->store = true;
  block_submit_read(blk->device, sector * BLOCK_SECTOR, length, slot->buffer, &slot->request);
  return VIRTIO_BLK_S_OK;
}

static uint8_t start_write(struct blk_slot *slot, uint64_t sector) {
  struct blk *blk = slot->blk;
  uint64_t length = slot->chain.readable_bytes - sizeof(struct virtio_blk_header);
  if (blk->device->read_only || length == 0 || !in_device(blk, sector, length) || !take_buffer(slot, length))
    return VIRTIO_BLK_S_IOERR;
  if (!virtq_gather(blk->virtio.bus, &slot->chain, sizeof(struct virtio_blk_header), slot->buffer, length))
    return VIRTIO_BLK_S_IOERR;
  slot->store = true;
  block_submit_write(blk->device, sector * BLOCK_SECTOR, length, slot->buffer, &slot->request);
  return VIRTIO_BLK_S_OK;
}

/* DISCARD and WRITE_ZEROES, one range each: both leave zeros. */
static uint8_t start_zero(struct blk_slot *slot) {
  struct blk *blk = slot->blk;
  struct virtio_blk_range range;
  if (slot->chain.readable_bytes != sizeof(struct virtio_blk_header) + sizeof range)
    return VIRTIO_BLK_S_UNSUPP;
  if (!virtq_gather(blk->virtio.bus, &slot->chain, sizeof(struct virtio_blk_header), &range, sizeof range))
    return VIRTIO_BLK_S_IOERR;
  uint32_t allowed = slot->type == VIRTIO_BLK_T_WRITE_ZEROES ? VIRTIO_BLK_ZEROES_UNMAP : 0;
  if (range.flags & ~allowed) return VIRTIO_BLK_S_UNSUPP;
  uint64_t length = (uint64_t)range.sectors * BLOCK_SECTOR;
  if (blk->device->read_only || range.sectors == 0 || range.sectors > RANGE_MAX_SECTORS ||
      !in_device(blk, range.sector, length))
    return VIRTIO_BLK_S_IOERR;
  slot->store = true;
  block_submit_discard(blk->device, range.sector * BLOCK_SECTOR, length, &slot->request);
  return VIRTIO_BLK_S_OK;
}

static uint8_t start_get_id(struct blk_slot *slot) {
  static const char id[VIRTIO_BLK_ID_BYTES] = "linuxsql";
  uint64_t room = slot->chain.writable_bytes - 1;
  if (!take_buffer(slot, room < sizeof id ? room : sizeof id)) return VIRTIO_BLK_S_IOERR;
  memcpy(slot->buffer, id, slot->length);
  return VIRTIO_BLK_S_OK;
}

static uint8_t start(struct blk_slot *slot, const struct virtio_blk_header *header) {
  slot->store = false;
  switch (header->type) {
  case VIRTIO_BLK_T_IN: return start_read(slot, header->sector);
  case VIRTIO_BLK_T_OUT: return start_write(slot, header->sector);
  case VIRTIO_BLK_T_FLUSH:
    slot->store = true;
    block_submit_flush(slot->blk->device, &slot->request);
    return VIRTIO_BLK_S_OK;
  case VIRTIO_BLK_T_GET_ID: return start_get_id(slot);
  case VIRTIO_BLK_T_DISCARD:
  case VIRTIO_BLK_T_WRITE_ZEROES: return start_zero(slot);
  default: return VIRTIO_BLK_S_UNSUPP;
  }
}

static struct blk_slot *free_slot(struct blk *blk) {
  for (unsigned i = 0; i < BLK_SLOTS; i++)
    if (blk->state.due_ns[i] == 0) return &blk->slots[i];
  return NULL;
}

/* Take requests from the queue while there is room for them. */
static void serve(struct blk *blk) {
  struct blk_slot *slot;
  while (!blk->lost && blk->flight_bytes <= BLK_FLIGHT_BYTES && (slot = free_slot(blk)) &&
         virtio_pop(&blk->virtio, 0, &slot->chain)) {
    struct virtio_blk_header header;
    if (slot->chain.writable_bytes == 0 ||
        !virtq_gather(blk->virtio.bus, &slot->chain, 0, &header, sizeof header)) {
      virtio_broken(&blk->virtio);
      return;
    }
    slot->type = header.type;
    slot->status = start(slot, &header);
    struct hart *hart = blk->virtio.bus->hart;
    uint64_t due = hart_time_ns(hart) + BLK_FIXED_NS + slot->length / BLK_BYTES_PER_NS;
    blk->state.due_ns[slot_number(slot)] = due;
    blk->state.request[slot_number(slot)] = slot->chain.head | (uint64_t)header.type << 16;
    event_schedule(hart, &slot->completion, due);
  }
}

static void kick(void *opaque, unsigned queue) {
  (void)queue;
  serve(opaque);
}

/* The buffers belong to the store until it is done with them, so a reset waits for it. */
static void stop(void *opaque) {
  struct blk *blk = opaque;
  for (unsigned i = 0; i < BLK_SLOTS; i++) {
    struct blk_slot *slot = &blk->slots[i];
    if (blk->state.due_ns[i] == 0) continue;
    event_cancel(blk->virtio.bus->hart, &slot->completion);
    if (slot->store) block_wait(&slot->request);
    release(slot);
  }
}

/* Whether the buffer holds what the guest will be given. */
static bool has_data(const struct blk_slot *slot) {
  return (slot->type == VIRTIO_BLK_T_IN || slot->type == VIRTIO_BLK_T_GET_ID) &&
         slot->status == VIRTIO_BLK_S_OK && !slot->request.error;
}

static void save_slot(const struct blk_slot *slot, struct blob *out) {
  const struct virtq_chain *chain = &slot->chain;
  blob_u32(out, slot->status);
  blob_u32(out, slot->store);
  blob_u32(out, (uint32_t)-slot->request.error);
  blob_u32(out, chain->count);
  blob_put(out, chain->segments, chain->count * sizeof *chain->segments);
  blob_u64(out, slot->length);
  if (has_data(slot)) blob_put(out, slot->buffer, slot->length);
}

/* What a request does to the disk is done once the store has answered, and what it will do to the guest is in
 * its buffer; so the store is waited for, as the hart soon would. */
static void save(void *opaque, struct blob *out) {
  struct blk *blk = opaque;
  blob_u64(out, blk->device->size);
  for (unsigned i = 0; i < BLK_SLOTS; i++) {
    struct blk_slot *slot = &blk->slots[i];
    if (!blk->state.due_ns[i]) continue;
    if (!slot->store) slot->request.error = 0;
    if (slot->store && wait_for_store(blk, &slot->request) == -ESHUTDOWN) out->failed = true;
    save_slot(slot, out);
  }
}

static bool load_chain(struct blk_slot *slot, struct blob_reader *in) {
  const struct phys *phys = slot->blk->virtio.bus->phys;
  struct virtq_chain *chain = &slot->chain;
  chain->count = blob_get_u32(in);
  if (chain->count > VIRTQ_SEGMENTS_MAX) return false;
  if (!blob_get(in, chain->segments, chain->count * sizeof *chain->segments)) return false;
  chain->readable_count = 0;
  chain->readable_bytes = chain->writable_bytes = 0;
  for (unsigned i = 0; i < chain->count; i++) {
    const struct virtq_segment *segment = &chain->segments[i];
    if (segment->length == 0 || segment->writable > 1 || !phys_in_ram(phys, segment->gpa, segment->length))
      return false;
    if (segment->writable) {
      chain->writable_bytes += segment->length;
    } else {
      if (chain->readable_count != i) return false;
      chain->readable_count++;
      chain->readable_bytes += segment->length;
    }
  }
  return chain->writable_bytes > 0;
}

static bool load_data(struct blk_slot *slot, uint64_t length, struct blob_reader *in) {
  bool writes = slot->type == VIRTIO_BLK_T_OUT;
  uint64_t room = writes ? slot->chain.readable_bytes : slot->chain.writable_bytes - 1;
  if (length > room || length > BLK_REQUEST_BYTES) return false;
  if (has_data(slot)) return take_buffer(slot, length) && blob_get(in, slot->buffer, length);
  slot->length = length; /* it still counts as in flight */
  slot->blk->flight_bytes += length;
  return true;
}

static bool load_slot(struct blk *blk, unsigned number, struct blob_reader *in) {
  struct blk_slot *slot = &blk->slots[number];
  uint64_t request = blk->state.request[number];
  slot->chain.head = (uint16_t)request;
  slot->type = (uint32_t)(request >> 16);
  uint32_t status = blob_get_u32(in), store = blob_get_u32(in), error = blob_get_u32(in);
  if (request >> 48 || status > VIRTIO_BLK_S_UNSUPP || store > 1 || error > EHWPOISON) return false;
  slot->status = (uint8_t)status;
  slot->store = store;
  slot->request = (struct block_request){.device = blk->device, .error = -(int)error};
  atomic_store_explicit(&slot->request.done, true, memory_order_release);
  if (!load_chain(slot, in) || !load_data(slot, blob_get_u64(in), in)) return false;
  event_schedule(blk->virtio.bus->hart, &slot->completion, blk->state.due_ns[number]);
  return true;
}

/* A slot that could not be loaded is not in flight. */
static bool load(void *opaque, struct blob_reader *in) {
  struct blk *blk = opaque;
  bool good = blob_get_u64(in) == blk->device->size;
  for (unsigned i = 0; i < BLK_SLOTS; i++) {
    if (!blk->state.due_ns[i]) good = good && blk->state.request[i] == 0;
    if (blk->state.due_ns[i]) good = good && load_slot(blk, i, in);
    if (!good && blk->state.due_ns[i]) release(&blk->slots[i]);
  }
  return good;
}

static void fill_config(struct blk *blk) {
  blk->config = (struct virtio_blk_config){
      .capacity = blk->device->size / BLOCK_SECTOR,
      .size_max = SIZE_MAX_BYTES,
      .seg_max = SEG_MAX,
      .blk_size = BLOCK_SECTOR,
      .max_discard_sectors = RANGE_MAX_SECTORS,
      .max_discard_seg = 1,
      .discard_sector_alignment = 8,
      .max_write_zeroes_sectors = RANGE_MAX_SECTORS,
      .max_write_zeroes_seg = 1,
      .write_zeroes_may_unmap = 1,
  };
  virtio_set_config(&blk->virtio, &blk->config, sizeof blk->config);
}

bool blk_init(struct blk *blk, struct bus *bus, struct plic *plic, struct telemetry *telemetry,
              const struct virtio_slot *place, struct block_device *device, const struct blk_owner *owner) {
  memset(blk, 0, sizeof *blk);
  blk->device = device;
  blk->owner = *owner;
  blk->slots = calloc(BLK_SLOTS, sizeof *blk->slots);
  if (!blk->slots) return false;
  for (unsigned i = 0; i < BLK_SLOTS; i++) {
    blk->slots[i].blk = blk;
    blk->slots[i].completion =
        (struct event){.rank = RANK_BLK + i, .fire = complete, .opaque = &blk->slots[i]};
  }
  struct virtio_class class = {.name = "virtio-blk",
                               .id = VIRTIO_ID_BLOCK,
                               .features = VIRTIO_BLK_F_SIZE_MAX | VIRTIO_BLK_F_SEG_MAX |
                                           VIRTIO_BLK_F_BLK_SIZE | VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_DISCARD |
                                           VIRTIO_BLK_F_WRITE_ZEROES,
                               .queue_count = 1,
                               .kick = kick,
                               .stop = stop};
  if (device->read_only) class.features |= VIRTIO_BLK_F_RO;
  if (!virtio_init(&blk->virtio, bus, plic, telemetry, place, &class, blk)) return false;
  fill_config(blk);
  return bus_add(bus, &(struct device){.name = "virtio-blk-flight",
                                       .opaque = blk,
                                       .state = &blk->state,
                                       .state_size = sizeof blk->state,
                                       .save = save,
                                       .load = load});
}

void blk_destroy(struct blk *blk) {
  if (!blk->slots) return;
  stop(blk);
  free(blk->slots);
  blk->slots = NULL;
}
