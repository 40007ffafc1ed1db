#include "dev/virtio/mmio.h"

#include <string.h>

#include "gen/telemetry.h"

enum {
  MAGIC = 0x000,
  VERSION = 0x004,
  DEVICE_ID = 0x008,
  VENDOR_ID = 0x00c,
  DEVICE_FEATURES = 0x010,
  DEVICE_FEATURES_SEL = 0x014,
  DRIVER_FEATURES = 0x020,
  DRIVER_FEATURES_SEL = 0x024,
  QUEUE_SEL = 0x030,
  QUEUE_SIZE_MAX = 0x034,
  QUEUE_SIZE = 0x038,
  QUEUE_READY = 0x044,
  QUEUE_NOTIFY = 0x050,
  INTERRUPT_STATUS = 0x060,
  INTERRUPT_ACK = 0x064,
  STATUS = 0x070,
  QUEUE_DESC_LOW = 0x080,
  QUEUE_DESC_HIGH = 0x084,
  QUEUE_AVAIL_LOW = 0x090,
  QUEUE_AVAIL_HIGH = 0x094,
  QUEUE_USED_LOW = 0x0a0,
  QUEUE_USED_HIGH = 0x0a4,
  SHM_LEN_LOW = 0x0b0,
  SHM_BASE_HIGH = 0x0bc,
  CONFIG = 0x100,
};

enum { STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8, STATUS_NEEDS_RESET = 0x40, STATUS_DRIVER_BITS = 0x8f };
enum { INTERRUPT_USED = 1, INTERRUPT_CONFIG = 2 };
enum { MAGIC_VALUE = 0x74726976, VERSION_VALUE = 2, VENDOR_VALUE = 0x4c51534c };

static uint64_t offered(const struct virtio_mmio *virtio) {
  return virtio->class.features | VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC;
}

static void raise(struct virtio_mmio *virtio, uint32_t cause) {
  virtio->state.interrupt |= cause;
  plic_set_line(virtio->plic, virtio->irq, virtio->state.interrupt != 0);
}

bool virtio_ready(const struct virtio_mmio *virtio, unsigned queue) {
  return virtio->state.status & STATUS_DRIVER_OK && !(virtio->state.status & STATUS_NEEDS_RESET) &&
         virtio->state.queues[queue].ready;
}

void virtio_broken(struct virtio_mmio *virtio) {
  telemetry_count(virtio->telemetry, COUNTER_VIRTIO_BAD_CHAINS, 1);
  if (virtio->state.status & STATUS_NEEDS_RESET) return;
  virtio->state.status |= STATUS_NEEDS_RESET;
  if (virtio->state.status & STATUS_DRIVER_OK) raise(virtio, INTERRUPT_CONFIG);
}

bool virtio_pop(struct virtio_mmio *virtio, unsigned queue, struct virtq_chain *chain) {
  if (!virtio_ready(virtio, queue)) return false;
  switch (virtq_pop(&virtio->queues[queue], chain)) {
  case VIRTQ_CHAIN: return true;
  case VIRTQ_EMPTY:
    if (virtq_want_kick(&virtio->queues[queue])) return false;
    __attribute__((fallthrough));
  default: virtio_broken(virtio); return false;
  }
}

void virtio_push(struct virtio_mmio *virtio, unsigned queue, uint16_t head, uint32_t written) {
  bool notify = false;
  if (!virtio_ready(virtio, queue)) return;
  if (!virtq_push(&virtio->queues[queue], head, written, &notify))
    virtio_broken(virtio);
  else if (notify)
    raise(virtio, INTERRUPT_USED);
}

static void reset(void *opaque) {
  struct virtio_mmio *virtio = opaque;
  if (virtio->class.stop) virtio->class.stop(virtio->opaque);
  memset(&virtio->state, 0, sizeof virtio->state);
  plic_set_line(virtio->plic, virtio->irq, false);
}

static void adopt_features(struct virtio_mmio *virtio) {
  uint64_t features = virtio->state.driver_features;
  for (unsigned i = 0; i < virtio->class.queue_count; i++) {
    virtio->queues[i].event_idx = features & VIRTIO_F_EVENT_IDX;
    virtio->queues[i].indirect = features & VIRTIO_F_INDIRECT_DESC;
  }
}

static void write_status(struct virtio_mmio *virtio, uint32_t value) {
  if (value == 0) {
    reset(virtio);
    return;
  }
  uint32_t status = virtio->state.status | (value & STATUS_DRIVER_BITS);
  uint64_t features = virtio->state.driver_features;
  bool acceptable = (features & ~offered(virtio)) == 0 && features & VIRTIO_F_VERSION_1;
  if (!(virtio->state.status & STATUS_FEATURES_OK) && status & STATUS_FEATURES_OK && !acceptable)
    status &= ~(uint32_t)STATUS_FEATURES_OK;
  if (!(status & STATUS_FEATURES_OK)) status &= ~(uint32_t)STATUS_DRIVER_OK;
  virtio->state.status = status;
  adopt_features(virtio);
}

static struct virtq_state *selected(struct virtio_mmio *virtio) {
  uint32_t queue = virtio->state.queue_sel;
  return queue < virtio->class.queue_count ? &virtio->state.queues[queue] : NULL;
}

static void write_ready(struct virtio_mmio *virtio, struct virtq_state *queue, uint32_t value) {
  struct virtq *virtq = &virtio->queues[virtio->state.queue_sel];
  if (!(value & 1)) {
    if (queue->ready) virtio->class.stop(virtio->opaque);
    memset(queue, 0, sizeof *queue);
  } else if (virtq_valid(virtq)) {
    queue->ready = 1;
  } else {
    virtio_broken(virtio);
  }
}

static void set_half(uint64_t *address, bool high, uint32_t value) {
  *address =
      high ? (*address & UINT32_MAX) | (uint64_t)value << 32 : (*address & ~(uint64_t)UINT32_MAX) | value;
}

/* Registers of the selected queue; fixed while it is ready. */
static void write_queue(struct virtio_mmio *virtio, uint64_t offset, uint32_t value) {
  struct virtq_state *queue = selected(virtio);
  if (!queue) return;
  if (offset == QUEUE_READY) {
    write_ready(virtio, queue, value);
    return;
  }
  if (queue->ready) return;
  switch (offset) {
  case QUEUE_SIZE: queue->size = value; break;
  case QUEUE_DESC_LOW:
  case QUEUE_DESC_HIGH: set_half(&queue->desc, offset & 4, value); break;
  case QUEUE_AVAIL_LOW:
  case QUEUE_AVAIL_HIGH: set_half(&queue->avail, offset & 4, value); break;
  case QUEUE_USED_LOW:
  case QUEUE_USED_HIGH: set_half(&queue->used, offset & 4, value); break;
  }
}

static void notify(struct virtio_mmio *virtio, uint32_t queue) {
  telemetry_count(virtio->telemetry, COUNTER_VIRTIO_KICKS, 1);
  if (queue < virtio->class.queue_count && virtio_ready(virtio, queue))
    virtio->class.kick(virtio->opaque, queue);
}

static void write_register(struct virtio_mmio *virtio, uint64_t offset, uint32_t value) {
  switch (offset) {
  case DEVICE_FEATURES_SEL: virtio->state.device_features_sel = value; break;
  case DRIVER_FEATURES_SEL: virtio->state.driver_features_sel = value; break;
  case DRIVER_FEATURES:
    if (virtio->state.driver_features_sel < 2 && !(virtio->state.status & STATUS_FEATURES_OK))
      set_half(&virtio->state.driver_features, virtio->state.driver_features_sel, value);
    break;
  case QUEUE_SEL: virtio->state.queue_sel = value; break;
  case QUEUE_NOTIFY: notify(virtio, value); break;
  case INTERRUPT_ACK:
    virtio->state.interrupt &= ~value;
    plic_set_line(virtio->plic, virtio->irq, virtio->state.interrupt != 0);
    break;
  case STATUS: write_status(virtio, value); break;
  default: write_queue(virtio, offset, value); break;
  }
}

static uint32_t read_register(struct virtio_mmio *virtio, uint64_t offset) {
  const struct virtq_state *queue = selected(virtio);
  switch (offset) {
  case MAGIC: return MAGIC_VALUE;
  case VERSION: return VERSION_VALUE;
  case DEVICE_ID: return virtio->class.id;
  case VENDOR_ID: return VENDOR_VALUE;
  case DEVICE_FEATURES: {
    uint32_t half = virtio->state.device_features_sel;
    return half < 2 && virtio->class.id ? (uint32_t)(offered(virtio) >> 32 * half) : 0;
  }
  case QUEUE_SIZE_MAX: return queue ? VIRTQ_SIZE_MAX : 0;
  case QUEUE_READY: return queue ? queue->ready : 0;
  case INTERRUPT_STATUS: return virtio->state.interrupt;
  case STATUS: return virtio->state.status;
  default: return offset >= SHM_LEN_LOW && offset <= SHM_BASE_HIGH ? UINT32_MAX : 0;
  }
}

static bool mmio_read(void *opaque, uint64_t offset, unsigned size, uint64_t *value) {
  struct virtio_mmio *virtio = opaque;
  *value = 0;
  if (offset >= CONFIG) {
    uint64_t at = offset - CONFIG;
    if (at < virtio->config_size && size <= virtio->config_size - at)
      memcpy(value, virtio->config + at, size);
    return true;
  }
  if (size != 4) return false;
  *value = read_register(virtio, offset);
  return true;
}

static bool mmio_write(void *opaque, uint64_t offset, unsigned size, uint64_t value) {
  struct virtio_mmio *virtio = opaque;
  if (offset >= CONFIG) return true;
  if (size != 4) return false;
  if (virtio->class.id != VIRTIO_ID_NONE) write_register(virtio, offset, (uint32_t)value);
  return true;
}

static const struct mmio_ops mmio_ops = {mmio_read, mmio_write};

/* The rings are checked whenever they are used. Once the features are fixed they are those in use. */
static bool load(void *opaque, struct blob_reader *in) {
  struct virtio_mmio *virtio = opaque;
  uint32_t status = virtio->state.status;
  (void)in;
  if (status & ~(uint32_t)(STATUS_DRIVER_BITS | STATUS_NEEDS_RESET)) return false;
  if (virtio->state.interrupt & ~(uint32_t)(INTERRUPT_USED | INTERRUPT_CONFIG)) return false;
  if (status & STATUS_FEATURES_OK && virtio->state.driver_features & ~offered(virtio)) return false;
  if (status & STATUS_DRIVER_OK && !(status & STATUS_FEATURES_OK)) return false;
  for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++) {
    if (virtio->state.queues[i].ready > 1) return false;
    if (virtio->state.queues[i].ready && i >= virtio->class.queue_count) return false;
  }
  adopt_features(virtio);
  return true;
}

void virtio_set_config(struct virtio_mmio *virtio, const void *config, size_t size) {
  virtio->config = config;
  virtio->config_size = size;
}

bool virtio_init(struct virtio_mmio *virtio, struct bus *bus, struct plic *plic, struct telemetry *telemetry,
                 const struct virtio_slot *slot, const struct virtio_class *class, void *opaque) {
  memset(virtio, 0, sizeof *virtio);
  virtio->bus = bus;
  virtio->plic = plic;
  virtio->telemetry = telemetry;
  virtio->irq = slot->irq;
  virtio->class = *class;
  virtio->opaque = opaque;
  for (unsigned i = 0; i < class->queue_count; i++)
    virtio->queues[i] = (struct virtq){.bus = bus, .state = &virtio->state.queues[i]};
  return bus_add(bus, &(struct device){.name = class->name,
                                       .base = slot->base,
                                       .size = slot->size,
                                       .ops = &mmio_ops,
                                       .opaque = virtio,
                                       .state = &virtio->state,
                                       .state_size = sizeof virtio->state,
                                       .reset = reset,
                                       .load = load});
}
