/* The line cache against a plain array, with commits that succeed and fail; and the page map. */
#include <stdlib.h>
#include <string.h>

#include "store/cache.h"
#include "store/page_map.h"
#include "test/rig.h"

static struct rig rig;
#define EXPECT(...) CHECK(&rig, __VA_ARGS__)

enum { LINES = 200, STEPS = 200000, CAPACITY = 64 };

struct model {
  struct cache cache;
  uint8_t current[LINES], database[LINES], sent[LINES]; /* the first byte of page 0 of each line */
  bool flushing;
};

/* What a fetch or the commit after next would find is the database; the cache may only be newer. */
static void use_line(struct model *model, uint64_t number, bool write, uint8_t value) {
  struct line *line = cache_take(&model->cache, number);
  if (!line) return; /* every line must stay */
  if (!(line->valid & 1)) {
    line->data[0] = model->database[number];
    line->valid |= 1;
  }
  EXPECT(line->data[0] == model->current[number], "line %lu holds %d, not %d", (unsigned long)number,
         line->data[0], model->current[number]);
  if (!write) return;
  line->data[0] = model->current[number] = value;
  cache_mark_dirty(&model->cache, line, 1);
}

static void begin(struct model *model) {
  memcpy(model->sent, model->database, sizeof model->sent);
  for (struct line *line = cache_begin_flush(&model->cache); line; line = line_next_flushing(line))
    if (line->flushing & 1) model->sent[line->number] = line->data[0];
  EXPECT(model->cache.dirty == NULL && model->cache.dirty_count == 0, "nothing is dirty once a commit began");
  model->flushing = true;
}

static void end(struct model *model, bool kept) {
  if (kept) memcpy(model->database, model->sent, sizeof model->database);
  cache_end_flush(&model->cache, kept);
  model->flushing = false;
}

static void check_cache(void) {
  struct model model = {0};
  uint32_t random = 1;
  EXPECT(cache_init(&model.cache, CAPACITY * (uint64_t)LINE_BYTES), "cache_init");
  for (int step = 0; step < STEPS; step++) {
    random = random * 1664525 + 1013904223;
    unsigned what = random >> 24 & 15, number = (random >> 8 & 0xffff) % LINES;
    if (what < 9)
      use_line(&model, number, what < 4, (uint8_t)(random >> 3));
    else if (what < 10 && !model.flushing)
      begin(&model);
    else if (what == 10 && model.flushing)
      end(&model, (random >> 28 & 1) != 0);
  }
  if (model.flushing) end(&model, false);
  begin(&model);
  end(&model, true);
  EXPECT(memcmp(model.database, model.current, sizeof model.database) == 0,
         "a last commit holds every write");
  cache_free(&model.cache);
}

static void check_bounds(void) {
  struct cache cache;
  EXPECT(cache_init(&cache, 0), "cache_init");
  EXPECT(cache.capacity == 64, "at least 64 lines");
  for (uint64_t n = 0; n < 64; n++) {
    struct line *line = cache_take(&cache, n);
    EXPECT(line != NULL, "line %lu", (unsigned long)n);
    if (line) cache_mark_dirty(&cache, line, 1);
  }
  EXPECT(cache_take(&cache, 64) == NULL, "dirty lines stay");
  cache_begin_flush(&cache);
  EXPECT(cache_take(&cache, 64) == NULL, "lines of a commit under way stay");
  cache_end_flush(&cache, true);
  struct line *line = cache_take(&cache, 64);
  EXPECT(line && line->number == 64 && line->valid == 0, "clean lines leave, and come back empty");
  EXPECT(cache_find(&cache, 0) == NULL && cache_find(&cache, 1) != NULL, "the oldest left");
  if (line) line->fetches = 1;
  cache_forget_fetches(&cache);
  EXPECT(line && line->fetches == 0, "fetches are forgotten");
  cache_free(&cache);
}

static void check_page_map(void) {
  enum { PAGES = CHUNK_PAGES + 100, LEAF = 2 };
  struct page_map map;
  uint8_t below[] = {PRESENCE_DATA | PRESENCE_DATA << 2 | PRESENCE_ZERO << 4}, leaf[] = {0, PRESENCE_DATA};
  uint8_t bytes[CHUNK_BYTES], wrong = 3, past = PRESENCE_DATA << 6;
  EXPECT(page_map_init(&map, PAGES, LEAF), "page_map_init");
  EXPECT(page_map_overlay(&map, 1, PAGES, below, 0, sizeof below), "layer 1");
  EXPECT(page_map_overlay(&map, LEAF, PAGES, leaf, 0, sizeof leaf), "leaf");
  EXPECT(!page_map_overlay(&map, 1, PAGES, &wrong, 0, 1), "a state that does not exist");
  EXPECT(!page_map_overlay(&map, 1, 3, &past, 0, 1), "a page past the layer's end");
  EXPECT(map.owner[0] == 1 && map.owner[2] == OWNER_ZERO_BELOW && map.owner[4] == LEAF, "owners");
  page_map_set(&map, 2, true);
  EXPECT(!map.dirty, "zeros over zeros are no news");
  page_map_set(&map, 1, true);
  page_map_set(&map, CHUNK_PAGES + 99, false);
  EXPECT(map.chunk_dirty[0] && map.chunk_dirty[1], "both chunks changed");
  page_map_begin_flush(&map);
  EXPECT(!map.dirty && map.chunk_flushing[0] && !map.chunk_dirty[0], "a commit takes them along");
  EXPECT(page_map_chunk(&map, 0, bytes) == CHUNK_BYTES, "a whole chunk");
  EXPECT(bytes[0] == PRESENCE_ZERO << 2 && bytes[1] == PRESENCE_DATA, "the leaf's own pages only");
  EXPECT(page_map_chunk(&map, 1, bytes) == 25 && bytes[24] == PRESENCE_DATA << 6, "the last chunk is cut");
  page_map_end_flush(&map, false);
  EXPECT(map.dirty && map.chunk_dirty[1], "a lost commit leaves them dirty");
  page_map_begin_flush(&map);
  page_map_end_flush(&map, true);
  EXPECT(!map.dirty && !map.chunk_dirty[1] && !map.chunk_flushing[1], "a kept one clean");
  page_map_free(&map);
}

int main(void) {
  check_cache();
  check_bounds();
  check_page_map();
  return rig_finish(&rig);
}
