/* Small integer kernels: sieve, recursion, pointer chasing, copying, indirect calls. */
#include "workload.h"

#include <string.h>

/* scale: passes over a sieve of 4 MB, one byte a number. */
uint64_t workload_sieve(uint32_t scale) {
  enum { SIZE = 4 << 20 };
  uint8_t *composite = workload_alloc(SIZE);
  uint64_t sum = MIX_START;
  for (uint32_t pass = 0; pass < scale; pass++) {
    uint32_t primes = 0;
    memset(composite, 0, SIZE);
    for (uint32_t i = 2; i < SIZE; i++) {
      if (composite[i]) continue;
      primes++;
      for (uint64_t multiple = (uint64_t)i * i; multiple < SIZE; multiple += i) composite[multiple] = 1;
    }
    sum = mix(sum, primes + pass);
  }
  return sum;
}

static __attribute__((noinline)) uint64_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

/* scale: the argument. */
uint64_t workload_fib(uint32_t scale) { return fib(scale); }

/* scale: steps along one cycle through all 64-byte cells of 16 MB, in random order (Sattolo's shuffle). */
uint64_t workload_chase(uint32_t scale) {
  enum { CELLS = (16 << 20) / 64 };
  struct cell {
    struct cell *next;
    uint64_t value[7];
  } *cells = workload_alloc(CELLS * sizeof *cells), *at = cells;
  uint32_t *order = workload_alloc(CELLS * sizeof *order);
  uint64_t state = 88172645463325252ULL, sum = 0;
  for (uint32_t i = 0; i < CELLS; i++) order[i] = i;
  for (uint32_t i = CELLS - 1; i > 0; i--) {
    uint32_t other = (uint32_t)(next_random(&state) % i), kept = order[i];
    order[i] = order[other];
    order[other] = kept;
  }
  for (uint32_t i = 0; i < CELLS; i++) {
    cells[i].next = &cells[order[i]];
    cells[i].value[0] = i;
  }
  for (uint32_t i = 0; i < scale; i++) {
    sum += at->value[0] ^ i;
    at = at->next;
  }
  return sum;
}

/* scale: megabytes, in blocks of 1 KB to 256 KB, some of them not aligned. */
uint64_t workload_copy(uint32_t scale) {
  enum { SIZE = 1 << 20 };
  uint8_t *from = workload_alloc(SIZE), *to = workload_alloc(SIZE);
  uint64_t state = 42, sum = MIX_START;
  for (uint32_t i = 0; i < SIZE; i++) from[i] = (uint8_t)next_random(&state);
  for (uint32_t pass = 0; pass < scale; pass++) {
    uint32_t block = 1024u << (pass % 9), skew = pass % 8 == 7 ? 3 : 0;
    for (uint32_t at = 0; at + block <= SIZE - 8; at += block) memcpy(to + at, from + at + skew, block);
    sum = mix(sum, to[(pass * 4099) % (SIZE - 4096)]);
  }
  return sum;
}

typedef uint64_t operation(uint64_t);

static uint64_t op_add(uint64_t x) { return x + 0x9E3779B97F4A7C15ULL; }
static uint64_t op_xor(uint64_t x) { return x ^ (x >> 31); }
static uint64_t op_multiply(uint64_t x) { return x * 6364136223846793005ULL; }
static uint64_t op_rotate(uint64_t x) { return x << 13 | x >> 51; }
static uint64_t op_not(uint64_t x) { return ~x; }
static uint64_t op_subtract(uint64_t x) { return x - 12345; }
static uint64_t op_fold(uint64_t x) { return (x & 0xFFFFFFFF) + (x >> 32) + (x << 7); }
static uint64_t op_odd(uint64_t x) { return x | 1; }

static operation *const operations[] = {op_add, op_xor,      op_multiply, op_rotate,
                                        op_not, op_subtract, op_fold,     op_odd};

static uint64_t interpret(uint8_t code, uint64_t x, uint64_t y) {
  switch (code) {
  case 0: return x + y;
  case 1: return x - y;
  case 2: return x ^ y;
  case 3: return x & ~y;
  case 4: return x | (y >> 3);
  case 5: return x << (y & 15);
  case 6: return x >> (y & 15);
  case 7: return x * (y | 1);
  case 8: return x < y ? x : y;
  case 9: return x > y ? x : y;
  case 10: return ~x;
  default: return x + code;
  }
}

/* scale: steps; each one calls through a table and takes a switch, both chosen by the data. */
uint64_t workload_dispatch(uint32_t scale) {
  uint8_t program[4096];
  uint64_t state = 7, x = 1, y = 2;
  for (size_t i = 0; i < sizeof program; i++) program[i] = (uint8_t)(next_random(&state) >> 17);
  for (uint32_t i = 0; i < scale; i++) {
    uint8_t code = program[i % sizeof program];
    y = operations[(code ^ x) & 7](y);
    x = interpret(code & 15, x, y);
  }
  return mix(x, y);
}
