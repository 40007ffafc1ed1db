#include "store/page_map.h"

#include <stdlib.h>
#include <string.h>

bool page_map_init(struct page_map *map, uint64_t pages, uint8_t leaf) {
  memset(map, 0, sizeof *map);
  map->pages = pages;
  map->leaf = leaf;
  map->chunks = (uint32_t)((pages + CHUNK_PAGES - 1) / CHUNK_PAGES);
  map->owner = malloc(pages);
  map->chunk_dirty = calloc(map->chunks, 1);
  map->chunk_flushing = calloc(map->chunks, 1);
  if (map->owner && map->chunk_dirty && map->chunk_flushing) {
    memset(map->owner, OWNER_ZERO_BELOW, pages);
    return true;
  }
  page_map_free(map);
  return false;
}

void page_map_free(struct page_map *map) {
  free(map->owner);
  free(map->chunk_dirty);
  free(map->chunk_flushing);
  memset(map, 0, sizeof *map);
}

bool page_map_overlay(struct page_map *map, uint8_t layer, uint64_t layer_pages, const uint8_t *bytes,
                      uint64_t offset, size_t size) {
  uint8_t zero = layer == map->leaf ? OWNER_ZERO_LEAF : OWNER_ZERO_BELOW;
  uint64_t limit = layer_pages < map->pages ? layer_pages : map->pages;
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] == 0) continue;
    for (unsigned slot = 0; slot < 4; slot++) {
      unsigned presence = bytes[i] >> slot * 2 & 3;
      uint64_t page = (offset + i) * 4 + slot;
      if (presence == PRESENCE_BELOW) continue;
      if (presence > PRESENCE_ZERO || page >= limit) return false;
      map->owner[page] = presence == PRESENCE_DATA ? layer : zero;
    }
  }
  return true;
}

void page_map_set(struct page_map *map, uint64_t page, bool zero) {
  uint8_t owner = zero ? OWNER_ZERO_LEAF : map->leaf;
  bool zero_below = map->owner[page] == OWNER_ZERO_BELOW || map->owner[page] == OWNER_ZERO_SEALING;
  if (map->owner[page] == owner || (zero && zero_below)) return;
  map->owner[page] = owner;
  map->chunk_dirty[page / CHUNK_PAGES] = 1;
  map->dirty = true;
}

size_t page_map_chunk(const struct page_map *map, uint32_t chunk, uint8_t bytes[CHUNK_BYTES]) {
  uint64_t first = (uint64_t)chunk * CHUNK_PAGES;
  uint64_t count = map->pages - first < CHUNK_PAGES ? map->pages - first : CHUNK_PAGES;
  memset(bytes, 0, CHUNK_BYTES);
  for (uint64_t i = 0; i < count; i++) {
    uint8_t owner = map->owner[first + i];
    unsigned presence = owner == map->leaf         ? PRESENCE_DATA
                        : owner == OWNER_ZERO_LEAF ? PRESENCE_ZERO
                                                   : PRESENCE_BELOW;
    bytes[i / 4] |= (uint8_t)(presence << i % 4 * 2);
  }
  return (size_t)((count + 3) / 4);
}

void page_map_begin_flush(struct page_map *map) {
  uint8_t *now = map->chunk_dirty;
  map->chunk_dirty = map->chunk_flushing; /* all clear between commits */
  map->chunk_flushing = now;
  map->dirty = false;
}

void page_map_end_flush(struct page_map *map, bool kept) {
  for (uint32_t chunk = 0; chunk < map->chunks; chunk++) {
    if (!map->chunk_flushing[chunk]) continue;
    map->chunk_flushing[chunk] = 0;
    if (kept) continue;
    map->chunk_dirty[chunk] = 1;
    map->dirty = true;
  }
}

void page_map_begin_seal(struct page_map *map) {
  for (uint64_t page = 0; page < map->pages; page++)
    if (map->owner[page] == OWNER_ZERO_LEAF) map->owner[page] = OWNER_ZERO_SEALING;
  map->leaf++;
}

void page_map_end_seal(struct page_map *map, bool kept) {
  uint8_t zero = kept ? OWNER_ZERO_BELOW : OWNER_ZERO_LEAF;
  for (uint64_t page = 0; page < map->pages; page++)
    if (map->owner[page] == OWNER_ZERO_SEALING) map->owner[page] = zero;
  if (kept) return;
  for (uint64_t page = 0; page < map->pages; page++)
    if (map->owner[page] == map->leaf) map->owner[page]--;
  map->leaf--;
  memset(map->chunk_dirty, 1, map->chunks);
  map->dirty = true;
}

void page_map_flatten(struct page_map *map) {
  for (uint64_t page = 0; page < map->pages; page++) {
    uint8_t owner = map->owner[page];
    if (owner >= 1 && owner <= map->leaf) map->owner[page] = owner == map->leaf ? 2 : 1;
  }
  map->leaf = 2;
}
