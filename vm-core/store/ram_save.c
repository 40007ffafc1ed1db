/* The RAM layer of a checkpoint: granules that changed, and its index. */
#include <stdlib.h>
#include <string.h>

#include "store/checkpoint.h"
#include "store/stream.h"

enum { INDEX_ZERO = 1, INDEX_DATA = 2, INDEX_PIECE = 2048 };

static bool all_zero(const uint8_t *bytes) {
  return bytes[0] == 0 && memcmp(bytes, bytes + 1, GRANULE_BYTES - 1) == 0;
}

static bool put_granules(struct stream *stream, const struct state_save *save, struct ram_layer *layer,
                         uint32_t *index) {
  uint8_t *bytes = malloc(GRANULE_BYTES);
  bool good = bytes != NULL, full = !layer->parent;
  uint64_t granules = save->ram_bytes / GRANULE_BYTES;
  for (uint64_t granule = 0; good && (granule = save->next(save->opaque, granule, full)) < granules;
       granule++) {
    save->read(save->opaque, granule, bytes);
    index[granule] = full ? 0 : INDEX_ZERO;
    if (all_zero(bytes)) continue;
    index[granule] = layer->stored + INDEX_DATA;
    good = stream_put(stream, layer->lo, (uint64_t)layer->stored * GRANULE_BYTES, bytes, GRANULE_BYTES);
    layer->stored++;
  }
  free(bytes);
  return good;
}

static bool put_index(struct stream *stream, const struct state_save *save, const struct ram_layer *layer,
                      const uint32_t *index) {
  enum { ENTRIES = INDEX_PIECE / sizeof(uint32_t) };
  uint64_t granules = save->ram_bytes / GRANULE_BYTES;
  for (uint64_t first = 0; first < granules; first += ENTRIES) {
    uint64_t count = granules - first < ENTRIES ? granules - first : ENTRIES, used = 0;
    for (uint64_t i = 0; i < count; i++)
      if (index[first + i]) used = i + 1;
    if (used && !stream_put(stream, layer->index_lo, first * sizeof(uint32_t), index + first,
                            used * sizeof(uint32_t)))
      return false;
  }
  return true;
}

bool ram_save(struct state_store *store, struct state_save *save, struct ram_layer *layer) {
  struct stream stream;
  uint32_t *index = calloc(save->ram_bytes / GRANULE_BYTES, sizeof *index);
  bool good = stream_begin(&stream, &store->link) && index && put_granules(&stream, save, layer, index) &&
              put_index(&stream, save, layer, index);
  free(index);
  return stream_end(&stream, good, &save->error);
}
