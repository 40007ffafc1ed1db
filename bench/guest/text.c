#include "text.h"
#include "workload.h"

#include <string.h>

static const char *const words[] = {
    "the",     "of",      "page",    "table",    "kernel",      "process", "memory", "to",
    "and",     "block",   "queue",   "guest",    "host",        "a",       "in",     "is",
    "address", "fault",   "handler", "register", "trap",        "timer",   "commit", "object",
    "large",   "server",  "client",  "socket",   "reader",      "writer",  "every",  "system",
    "call",    "context", "virtual", "physical", "instruction", "counter", "on",     "for",
};

#define WORDS (sizeof words / sizeof *words)

const char *text_word(uint64_t number) { return words[number % WORDS]; }

void text_fill(uint8_t *text, size_t size, uint64_t seed) {
  size_t at = 0;
  while (at < size) {
    uint64_t random = next_random(&seed);
    /* The product of two draws favours the first words. */
    const char *word = words[(random >> 8) % WORDS * ((random >> 20) % WORDS) / WORDS];
    size_t length = strlen(word);
    if (length > size - at) length = size - at;
    memcpy(text + at, word, length);
    at += length;
    if (at < size) text[at++] = (random >> 40) % 12 == 0 ? '\n' : ' ';
  }
}
