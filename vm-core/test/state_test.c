/* Saved states read back: of a hart and its cached translations (no bytes from outside may crash the loader,
 * and what it takes can be saved again unchanged); the undo of RAM against a copy; the page map of a disk
 * while its leaf is sealed, against a model. */
#include "base/blob.h"
#include "hart/state.h"
#include "mmu/mmu.h"
#include "store/page_map.h"
#include "test/rig.h"
#include "vm/preimage.h"

enum { ROUNDS = 4000, PAGES = 64, PAGE_BYTES = 4096, MAP_PAGES = 3000 };

static struct rig rig;
#define EXPECT(...) CHECK(&rig, __VA_ARGS__)

static uint64_t seed = 1;
static uint64_t pick(uint64_t n) { return rig_random(&seed) % n; }

static void check_hart(void) {
  uint64_t good[HART_STATE_WORDS], words[HART_STATE_WORDS], again[HART_STATE_WORDS];
  char what[HART_STATE_NAME];
  unsigned refused = 0, taken = 0;
  hart_state_save(&rig.hart, good);
  EXPECT(hart_state_check(good, what), "the state of a fresh hart: %s", what);
  for (unsigned i = 0; i < ROUNDS; i++) {
    memcpy(words, good, sizeof words);
    unsigned word = (unsigned)pick(HART_STATE_WORDS);
    words[word] ^= UINT64_C(1) << pick(64);
    if (!hart_state_check(words, what)) {
      refused++;
      EXPECT(*what, "refused without a word");
      continue;
    }
    taken++;
    struct hart hart;
    hart_init(&hart);
    hart_state_load(&hart, words);
    hart_state_save(&hart, again);
    EXPECT(memcmp(words, again, sizeof words) == 0, "word %u is not what was loaded", word);
  }
  EXPECT(refused > ROUNDS / 10 && taken > ROUNDS / 10, "%u refused, %u taken", refused, taken);
}

static struct blob saved_translations(void) {
  struct blob blob = {0};
  mmu_save(&rig.hart, &blob);
  return blob;
}

static void check_translations(void) {
  for (unsigned i = 0; i < ROUNDS / 4; i++) {
    struct blob blob = {0};
    for (unsigned table = 0; table < 2; table++) {
      size_t part = blob_begin(&blob);
      for (uint64_t n = pick(40); n; n--) {
        blob_u64(&blob, rig_random(&seed) >> (12 + pick(52)));
        blob_u64(&blob, (rig_random(&seed) >> pick(60)) & PAGE_MASK);
        blob_u32(&blob, (uint32_t)pick(1 << 16));
        blob_u32(&blob, (uint32_t)(pick(256) | PTE_V));
      }
      blob_end(&blob, part);
    }
    for (unsigned n = 0; n < 4 * 64; n++) blob_u64(&blob, rig_random(&seed));
    bool spoilt = pick(2);
    if (spoilt) blob.bytes[pick(blob.size)] ^= (uint8_t)(1 << pick(8));
    size_t cut = pick(4) ? blob.size : pick(blob.size);
    struct blob_reader in = {blob.bytes, cut, false};
    if (mmu_load(&rig.hart, &in)) {
      struct blob first = saved_translations();
      struct blob_reader back = {first.bytes, first.size, false};
      EXPECT(mmu_load(&rig.hart, &back) && blob_done(&back), "what was saved is refused");
      struct blob second = saved_translations();
      EXPECT(first.size == second.size && memcmp(first.bytes, second.bytes, first.size) == 0,
             "translations changed on the way");
      blob_free(&first);
      blob_free(&second);
    } else {
      EXPECT(cut < blob.size || spoilt, "whole translations refused");
    }
    blob_free(&blob);
  }
  mmu_flush_all(&rig.hart);
}

/* Writes pass preimages_before_write; after a while everything is as it was. */
static void check_undo(void) {
  static uint8_t ram[PAGES * PAGE_BYTES], copy[sizeof ram], page[PAGE_BYTES];
  struct preimages preimages;
  char error[128];
  EXPECT(preimages_init(&preimages, ram, sizeof ram, PAGE_BYTES * 8, error, sizeof error), "%s", error);
  struct undo *undo = &preimages.undo[UNDO_TRANSACTION], *other = &preimages.undo[UNDO_CHECKPOINT];
  for (unsigned round = 0; round < 200; round++) {
    memcpy(copy, ram, sizeof ram);
    EXPECT(undo_open(&preimages, undo), "no undo");
    for (uint64_t writes = pick(100); writes; writes--) {
      uint64_t at = pick(sizeof ram);
      preimages_before_write(&preimages, at / PAGE_BYTES);
      ram[at] = (uint8_t)pick(256);
      if (pick(50) == 0 && !other->epoch) EXPECT(undo_open(&preimages, other), "no second undo");
      if (pick(50) == 0) undo_close(&preimages, other);
      if (pick(200) == 0) { /* as a reboot does */
        preimages_reset(&preimages);
        memset(ram, 0, sizeof ram);
      }
    }
    for (uint64_t n = 0; n < PAGES; n++) {
      undo_read(&preimages, undo, n, page);
      EXPECT(memcmp(page, copy + n * PAGE_BYTES, PAGE_BYTES) == 0, "page %u as it was", (unsigned)n);
    }
    if (pick(2)) {
      undo_restore(&preimages, undo, ram);
      EXPECT(memcmp(ram, copy, sizeof ram) == 0, "RAM is not as it was");
    }
    undo_close(&preimages, undo);
  }
  undo_close(&preimages, other);
  preimages_destroy(&preimages);
}

/* What the layers on the server say about each page, by the chunks that were sent. */
struct server {
  uint8_t presence[4][MAP_PAGES];
  unsigned leaf;
};

static void send_chunks(struct page_map *map, struct server *server) {
  uint8_t bytes[CHUNK_BYTES];
  for (uint32_t chunk = 0; chunk < map->chunks; chunk++) {
    if (!map->chunk_flushing[chunk]) continue;
    page_map_chunk(map, chunk, bytes);
    for (uint64_t page = chunk * (uint64_t)CHUNK_PAGES;
         page < MAP_PAGES && page < (chunk + 1) * (uint64_t)CHUNK_PAGES; page++)
      server->presence[server->leaf][page] = bytes[page % CHUNK_PAGES / 4] >> page % 4 * 2 & 3;
  }
}

static uint8_t owner_on_server(const struct server *server, uint64_t page) {
  for (unsigned layer = server->leaf; layer >= 1; layer--) {
    if (server->presence[layer][page] == PRESENCE_DATA) return (uint8_t)layer;
    if (server->presence[layer][page] == PRESENCE_ZERO) return OWNER_ZERO_BELOW;
  }
  return OWNER_ZERO_BELOW;
}

static bool is_zero(uint8_t owner) { return owner >= OWNER_ZERO_SEALING; }

/* One leaf is written, sealed (which may fail), written again; flushes may fail, too. */
static void check_sealing(void) {
  for (unsigned round = 0; round < 100; round++) {
    static struct server server;
    struct page_map map;
    memset(&server, 0, sizeof server);
    server.leaf = 1;
    EXPECT(page_map_init(&map, MAP_PAGES, 1), "no page map");
    for (unsigned step = 0; step < 12; step++) {
      bool seal = pick(3) == 0 && server.leaf < 3, kept = pick(3) != 0;
      for (uint64_t n = pick(200); n; n--) page_map_set(&map, pick(MAP_PAGES), pick(2));
      page_map_begin_flush(&map);
      struct server before = server;
      send_chunks(&map, &server);
      if (seal) page_map_begin_seal(&map);
      for (uint64_t n = seal ? pick(50) : 0; n; n--) page_map_set(&map, pick(MAP_PAGES), true);
      page_map_end_flush(&map, kept);
      if (seal) page_map_end_seal(&map, kept);
      if (!kept) server = before;
      if (seal && kept) server.leaf++;
      EXPECT(map.leaf == server.leaf, "the leaf is %u, not %u", map.leaf, server.leaf);
    }
    page_map_begin_flush(&map);
    send_chunks(&map, &server);
    page_map_end_flush(&map, true);
    for (uint64_t page = 0; page < MAP_PAGES; page++) {
      uint8_t here = map.owner[page], there = owner_on_server(&server, page);
      EXPECT(is_zero(here) ? is_zero(there) : here == there, "page %u: %u here, %u there", (unsigned)page,
             here, there);
    }
    page_map_free(&map);
  }
}

int main(void) {
  rig_init(&rig, NULL);
  check_hart();
  check_translations();
  check_undo();
  check_sealing();
  int status = rig_finish(&rig);
  rig_destroy(&rig);
  return status;
}
