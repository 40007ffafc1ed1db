/* Which layer of a disk's chain holds each 4 KB page. I/O thread only (start-up: the opening thread).
 *
 * One byte a page answers for the whole chain at once, however deep. The leaf's own part of it is what its
 * presence Large Object records: two bits a page, page 0 in the lowest bits of byte 0: PRESENCE_BELOW, _DATA,
 * _ZERO. A change marks its chunk (8192 pages, one 2 KB row of the Large Object) for the next commit. */
#ifndef STORE_PAGE_MAP_H
#define STORE_PAGE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PRESENCE_BELOW = 0, PRESENCE_DATA = 1, PRESENCE_ZERO = 2 };
enum { CHUNK_BYTES = 2048, CHUNK_PAGES = CHUNK_BYTES * 4 };
enum { LAYERS_MAX = 65 }; /* 64 layers over an image */

/* Owners of a page: an index into the chain (0 = bottom), or zeros: known by the leaf, by a leaf that is
 * being sealed, by what is below. OWNER_SHOWN stands for pages behind the map's: the image itself. */
enum { OWNER_SHOWN = 252, OWNER_ZERO_SEALING = 253, OWNER_ZERO_BELOW = 254, OWNER_ZERO_LEAF = 255 };

struct page_map {
  uint64_t pages;
  uint8_t *owner;
  uint8_t leaf; /* index of the layer that is written to */
  uint32_t chunks;
  uint8_t *chunk_dirty, *chunk_flushing;
  bool dirty; /* some chunk is */
};

/* All zeros below a leaf of the given index. False when memory is short. */
bool page_map_init(struct page_map *map, uint64_t pages, uint8_t leaf);
void page_map_free(struct page_map *map);

/* Lay part of a layer's presence over what is below it: `bytes` stand at `offset` in the Large Object, the
 * layer has `layer_pages` pages. False when they hold a state that does not exist. Bottom layer first. */
bool page_map_overlay(struct page_map *map, uint8_t layer, uint64_t layer_pages, const uint8_t *bytes,
                      uint64_t offset, size_t size);

/* The leaf now holds the page's bytes, or knows it to be zeros. */
void page_map_set(struct page_map *map, uint64_t page, bool zero);

/* The leaf's presence of one chunk, as its Large Object shall hold it; the bytes used. */
size_t page_map_chunk(const struct page_map *map, uint32_t chunk, uint8_t bytes[CHUNK_BYTES]);

/* The leaf was sent whole and is being sealed: later changes belong to the next index. Its end: that is so,
 * or (not kept) all of them belong to the old leaf, whose presence is sent again. */
void page_map_begin_seal(struct page_map *map);
void page_map_end_seal(struct page_map *map, bool kept);

/* All layers between the bottom and the leaf are one now. */
void page_map_flatten(struct page_map *map);

/* A commit takes the dirty chunks along (chunk_flushing); its end: they are clean, or dirty again. */
void page_map_begin_flush(struct page_map *map);
void page_map_end_flush(struct page_map *map, bool kept);

#endif
