/* Text for the workloads: words with the frequencies and repetitions of prose or of a log. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Fills size bytes; the same seed gives the same text. */
void text_fill(uint8_t *text, size_t size, uint64_t seed);

/* A word of 2 to 11 letters, chosen by number, with a terminating NUL. */
const char *text_word(uint64_t number);

#endif
