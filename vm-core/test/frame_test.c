/* Frame buffers and readers, and the random stream's test vectors (RFC 8439, 2.3.2). */
#include "vm/frame.h"

#include "dev/chacha20.h"
#include "gen/wire.h"
#include "test/rig.h"

static void test_frames(struct rig *t) {
  struct buffer buffer = {0};
  uint64_t seed = 5;
  for (unsigned i = 0; i < 3000; i++) {
    size_t size = rig_random(&seed) % 3000, frame = frame_begin(&buffer, 73, i);
    char *text = malloc(size + 1);
    memset(text, (int)i & 0x7f, size);
    put_u8(&buffer, 1);
    put_u16(&buffer, 2);
    put_u32(&buffer, 3);
    put_f64(&buffer, 4);
    put_str(&buffer, text, size);
    frame_end(&buffer, frame);
    free(text);
    if (rig_random(&seed) % 3 == 0) continue;
    struct frame_header header;
    memcpy(&header, buffer.bytes + buffer.start, sizeof header);
    CHECK(t, header.type == 73 && header.stream == 0 && header.length >= 19, "frame %u", i);
    CHECK(t, buffer_size(&buffer) >= sizeof header + header.length, "frame %u is cut", i);
    buffer_drop(&buffer, sizeof header + header.length);
  }
  buffer_free(&buffer);
}

static void test_reader(struct rig *t) {
  const uint8_t bytes[] = {1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 'h', 'i'};
  struct reader reader = {bytes, sizeof bytes, false};
  uint32_t size;
  CHECK(t, get_u16(&reader) == 1 && get_u32(&reader) == 2 && get_u64(&reader) == 3, "numbers");
  const char *text = get_str(&reader, &size);
  CHECK(t, size == 2 && memcmp(text, "hi", 2) == 0 && reader_done(&reader), "text");
  CHECK(t, get_u16(&reader) == 0 && reader.bad && !reader_done(&reader), "past the end");
  for (size_t cut = 0; cut < sizeof bytes; cut++) {
    uint8_t *exact = malloc(cut ? cut : 1);
    memcpy(exact, bytes, cut);
    struct reader part = {exact, cut, false};
    get_u16(&part), get_u32(&part), get_u64(&part), get_str(&part, &size);
    CHECK(t, part.bad, "cut at %zu", cut);
    free(exact);
  }
  const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 'x'};
  struct reader lying = {huge, sizeof huge, false};
  get_str(&lying, &size);
  CHECK(t, lying.bad && size == 0, "a text longer than its frame");
}

static void test_chacha20(struct rig *t) {
  uint32_t key[8];
  uint8_t bytes[32], block[64], one[1000], parts[1000];
  for (unsigned i = 0; i < 32; i++) bytes[i] = (uint8_t)i;
  memcpy(key, bytes, sizeof key);
  const uint32_t nonce[3] = {0x09000000, 0x4a000000, 0};
  const uint8_t start[] = {0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15},
                end[] = {0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e};
  chacha20_block(key, 1, nonce, block);
  CHECK(t, memcmp(block, start, 8) == 0 && memcmp(block + 56, end, 8) == 0, "block function");
  struct random a, b;
  random_init(&a, bytes, RANDOM_VIRTIO_RNG, 1);
  random_init(&b, bytes, RANDOM_VIRTIO_RNG, 1);
  random_fill(&a, one, sizeof one);
  for (size_t at = 0, n = 1; at < sizeof parts; at += n, n = n % 7 + 1) {
    if (n > sizeof parts - at) n = sizeof parts - at;
    random_fill(&b, parts + at, n);
  }
  CHECK(t, memcmp(one, parts, sizeof one) == 0, "the stream depends on how it is read");
  random_init(&b, bytes, RANDOM_DEVICE_TREE, 1);
  random_fill(&b, parts, sizeof parts);
  CHECK(t, memcmp(one, parts, 32) != 0, "two streams are equal");
  random_init(&b, bytes, RANDOM_VIRTIO_RNG, 2);
  random_fill(&b, parts, sizeof parts);
  CHECK(t, memcmp(one, parts, 32) != 0, "two boots are equal");
}

int main(void) {
  struct rig *t = calloc(1, sizeof *t);
  test_frames(t);
  test_reader(t);
  test_chacha20(t);
  int status = rig_finish(t);
  free(t);
  return status;
}
