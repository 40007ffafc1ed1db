/* Numbers of virtio 1.2, 5.2: features, request types, status bytes, configuration layout. */
#ifndef DEV_VIRTIO_BLK_CONFIG_H
#define DEV_VIRTIO_BLK_CONFIG_H

#include "base/bits.h"

#define VIRTIO_BLK_F_SIZE_MAX     BIT(1)
#define VIRTIO_BLK_F_SEG_MAX      BIT(2)
#define VIRTIO_BLK_F_RO           BIT(5)
#define VIRTIO_BLK_F_BLK_SIZE     BIT(6)
#define VIRTIO_BLK_F_FLUSH        BIT(9)
#define VIRTIO_BLK_F_DISCARD      BIT(13)
#define VIRTIO_BLK_F_WRITE_ZEROES BIT(14)

enum {
  VIRTIO_BLK_T_IN = 0,
  VIRTIO_BLK_T_OUT = 1,
  VIRTIO_BLK_T_FLUSH = 4,
  VIRTIO_BLK_T_GET_ID = 8,
  VIRTIO_BLK_T_DISCARD = 11,
  VIRTIO_BLK_T_WRITE_ZEROES = 13,
};

enum { VIRTIO_BLK_S_OK = 0, VIRTIO_BLK_S_IOERR = 1, VIRTIO_BLK_S_UNSUPP = 2 };
enum { VIRTIO_BLK_ID_BYTES = 20, VIRTIO_BLK_ZEROES_UNMAP = 1 };

struct virtio_blk_header {
  uint32_t type, reserved;
  uint64_t sector;
};

/* Payload of DISCARD and WRITE_ZEROES. */
struct virtio_blk_range {
  uint64_t sector;
  uint32_t sectors, flags;
};

/* struct virtio_blk_config; the members are naturally aligned except for the u16 and u8 groups. */
struct virtio_blk_config {
  uint64_t capacity;
  uint32_t size_max, seg_max;
  uint16_t cylinders;
  uint8_t heads, sectors;
  uint32_t blk_size;
  uint8_t physical_block_exp, alignment_offset;
  uint16_t min_io_size;
  uint32_t opt_io_size;
  uint8_t writeback, unused0;
  uint16_t num_queues;
  uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
  uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
  uint8_t write_zeroes_may_unmap, unused1[3];
};
_Static_assert(sizeof(struct virtio_blk_config) == 64, "virtio_blk_config");

#endif
