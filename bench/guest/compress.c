/*
 * Compression as in deflate: LZ77 with hash chains, then one canonical Huffman code over literals, lengths
 * and distance classes; and back again. The result is compared with the input. scale: blocks of 256 KB.
 *
 * Symbols: 0-255 literals, 256 end, 257-280 matches by length class (4-259 bytes); 0-17 distance classes. A
 * class holds the position of the highest bit; the bits below it follow as they are.
 */
#include "text.h"
#include "workload.h"

#include <string.h>

enum {
  BLOCK = 256 << 10,
  WINDOW = 32 << 10,
  HASH_BITS = 14,
  MIN_MATCH = 4,
  MAX_MATCH = 259,
  END = 256,
  FIRST_LENGTH = 257,
  SYMBOLS = 257 + 10,
  DISTANCES = 18,
  MAX_BITS = 24,
};

struct bits {
  uint8_t *at, *limit;
  uint64_t held;
  int count;
};

struct code {
  int symbols;
  uint8_t length[SYMBOLS];
  uint32_t value[SYMBOLS];
  /* For decoding: the first code and index of each length, and symbols in order of code. */
  uint32_t first[MAX_BITS + 2], offset[MAX_BITS + 2], count[MAX_BITS + 2];
  uint16_t order[SYMBOLS];
};

struct token {
  uint16_t length; /* 0: literal */
  uint16_t literal;
  uint32_t distance;
};

static void put(struct bits *bits, uint32_t value, int count) {
  for (int i = count - 1; i >= 0; i--) { /* most significant bit first: codes are canonical */
    bits->held = bits->held << 1 | (value >> i & 1);
    if (++bits->count < 8) continue;
    if (bits->at == bits->limit) workload_fail("compressed block too large");
    *bits->at++ = (uint8_t)bits->held;
    bits->count = 0;
  }
}

static uint32_t get(struct bits *bits, int count) {
  uint32_t value = 0;
  while (count-- > 0) {
    if (bits->count == 0) {
      if (bits->at == bits->limit) workload_fail("compressed block too short");
      bits->held = *bits->at++;
      bits->count = 8;
    }
    value = value << 1 | (uint32_t)(bits->held >> --bits->count & 1);
  }
  return value;
}

static int class_of(uint32_t value) { return 31 - __builtin_clz(value | 1); }

/* Code lengths by repeated joining of the two rarest trees; frequencies are halved until no code is too long.
 */
static void code_build(struct code *code, const uint32_t *counts, int symbols) {
  uint32_t weight[2 * SYMBOLS];
  int parent[2 * SYMBOLS], nodes, deepest, shift = 0;
  do {
    nodes = symbols;
    for (int i = 0; i < symbols; i++) weight[i] = counts[i] == 0 ? 0 : (counts[i] >> shift) + 1;
    for (;;) {
      int low = -1, next = -1;
      for (int i = 0; i < nodes; i++) {
        if (weight[i] == 0) continue;
        if (low < 0 || weight[i] < weight[low])
          next = low, low = i;
        else if (next < 0 || weight[i] < weight[next])
          next = i;
      }
      if (next < 0) break;
      weight[nodes] = weight[low] + weight[next];
      weight[low] = weight[next] = 0;
      parent[low] = parent[next] = nodes++;
    }
    deepest = 0;
    for (int i = 0; i < symbols; i++) {
      int depth = counts[i] == 0 ? 0 : nodes == symbols;
      for (int at = i; counts[i] != 0 && nodes > symbols && at != nodes - 1; at = parent[at]) depth++;
      code->length[i] = (uint8_t)depth;
      if (depth > deepest) deepest = depth;
    }
    shift++;
  } while (deepest > MAX_BITS);
  code->symbols = symbols;
}

/* Canonical values from lengths, as in RFC 1951, 3.2.2. */
static void code_assign(struct code *code) {
  uint32_t value = 0, index = 0;
  memset(code->count, 0, sizeof code->count);
  for (int i = 0; i < code->symbols; i++) code->count[code->length[i]]++;
  for (int length = 1; length <= MAX_BITS; length++) {
    code->first[length] = value;
    code->offset[length] = index;
    for (int i = 0; i < code->symbols; i++) {
      if (code->length[i] != length) continue;
      code->value[i] = value++;
      code->order[index++] = (uint16_t)i;
    }
    value <<= 1;
  }
}

static int decode(struct bits *bits, const struct code *code) {
  uint32_t value = 0;
  for (int length = 1; length <= MAX_BITS; length++) {
    value = value << 1 | get(bits, 1);
    if (value - code->first[length] < code->count[length])
      return code->order[code->offset[length] + value - code->first[length]];
  }
  workload_fail("no such code");
}

static uint32_t hash(const uint8_t *at) {
  uint32_t word;
  memcpy(&word, at, sizeof word);
  return word * 2654435761u >> (32 - HASH_BITS);
}

static uint32_t match_length(const uint8_t *a, const uint8_t *b, uint32_t limit) {
  uint32_t length = 0;
  while (length < limit && a[length] == b[length]) length++;
  return length;
}

static uint32_t find_tokens(const uint8_t *text, struct token *tokens) {
  int32_t *head = workload_alloc(sizeof *head << HASH_BITS), *chain = workload_alloc(WINDOW * sizeof *chain);
  uint32_t count = 0;
  for (int i = 0; i < 1 << HASH_BITS; i++) head[i] = -1;
  for (uint32_t at = 0; at < BLOCK;) {
    uint32_t best = 0, distance = 0, left = BLOCK - at, limit = left < MAX_MATCH ? left : MAX_MATCH;
    uint32_t step = 1;
    if (left >= MIN_MATCH) {
      int32_t candidate = head[hash(text + at)];
      for (int tries = 0; tries < 16 && candidate >= 0 && at - (uint32_t)candidate < WINDOW; tries++) {
        uint32_t length = match_length(text + at, text + candidate, limit);
        if (length > best) best = length, distance = at - (uint32_t)candidate;
        if (chain[candidate % WINDOW] >= candidate) break; /* overwritten by a later position */
        candidate = chain[candidate % WINDOW];
      }
    }
    if (best >= MIN_MATCH) step = best;
    tokens[count++] = (struct token){best >= MIN_MATCH ? (uint16_t)best : 0, text[at], distance};
    for (; step > 0; step--, at++) {
      if (BLOCK - at < MIN_MATCH) continue;
      chain[at % WINDOW] = head[hash(text + at)];
      head[hash(text + at)] = (int32_t)at;
    }
  }
  return count;
}

static void count_symbols(const struct token *tokens, uint32_t count, uint32_t *symbols,
                          uint32_t *distances) {
  symbols[END] = 1;
  for (uint32_t i = 0; i < count; i++) {
    if (tokens[i].length == 0) {
      symbols[tokens[i].literal]++;
      continue;
    }
    symbols[FIRST_LENGTH + class_of(tokens[i].length)]++;
    distances[class_of(tokens[i].distance)]++;
  }
}

static void put_class(struct bits *bits, const struct code *code, int base, uint32_t value) {
  int class = class_of(value);
  put(bits, code->value[base + class], code->length[base + class]);
  put(bits, value & ((1u << class) - 1), class);
}

static size_t pack(const struct token *tokens, uint32_t count, struct code *codes, uint8_t *out,
                   size_t size) {
  struct bits bits = {out, out + size, 0, 0};
  for (uint32_t i = 0; i < count; i++) {
    if (tokens[i].length == 0) {
      put(&bits, codes[0].value[tokens[i].literal], codes[0].length[tokens[i].literal]);
      continue;
    }
    put_class(&bits, &codes[0], FIRST_LENGTH, tokens[i].length);
    put_class(&bits, &codes[1], 0, tokens[i].distance);
  }
  put(&bits, codes[0].value[END], codes[0].length[END]);
  put(&bits, 0, 7); /* the last byte is complete */
  return (size_t)(bits.at - out);
}

static uint32_t unpack(uint8_t *packed, size_t size, const struct code *codes, uint8_t *out) {
  struct bits bits = {packed, packed + size, 0, 0};
  uint32_t at = 0;
  for (;;) {
    int symbol = decode(&bits, &codes[0]), class = symbol - FIRST_LENGTH;
    uint32_t length, distance;
    if (symbol == END) return at;
    if (symbol < END) {
      if (at == BLOCK) workload_fail("decompressed block too large");
      out[at++] = (uint8_t)symbol;
      continue;
    }
    length = 1u << class | get(&bits, class);
    class = decode(&bits, &codes[1]);
    distance = 1u << class | get(&bits, class);
    if (distance > at || length > BLOCK - at) workload_fail("match out of range");
    for (; length > 0; length--, at++) out[at] = out[at - distance];
  }
}

uint64_t workload_compress(uint32_t scale) {
  uint8_t *text = workload_alloc(BLOCK), *packed = workload_alloc(BLOCK), *back = workload_alloc(BLOCK);
  struct token *tokens = workload_alloc(BLOCK * sizeof *tokens);
  struct code *codes = workload_alloc(2 * sizeof *codes);
  uint64_t sum = MIX_START;
  for (uint32_t i = 0; i < scale; i++) {
    uint32_t symbols[SYMBOLS] = {0}, distances[DISTANCES] = {0}, count;
    size_t size;
    text_fill(text, BLOCK, i + 1);
    count = find_tokens(text, tokens);
    count_symbols(tokens, count, symbols, distances);
    code_build(&codes[0], symbols, SYMBOLS);
    code_build(&codes[1], distances, DISTANCES);
    code_assign(&codes[0]);
    code_assign(&codes[1]);
    size = pack(tokens, count, codes, packed, BLOCK);
    if (unpack(packed, size, codes, back) != BLOCK || memcmp(text, back, BLOCK) != 0)
      workload_fail("decompressed text differs");
    for (size_t at = 0; at < size; at += 97) sum = mix(sum, packed[at]);
    sum = mix(sum, size);
  }
  return sum;
}
