/* Guest RAM as a sealed memfd, and input files as read-only mappings. Start-up and reset, main thread. */
#ifndef VM_MEMORY_H
#define VM_MEMORY_H

#include "vm/machine.h"

/* false with one line in `error`. */
bool ram_create(struct ram *ram, uint64_t size, char *error, size_t error_size);
void ram_destroy(struct ram *ram);

/* Make all of RAM read as zeros, touching only pages that were ever written. */
void ram_clear(struct ram *ram);

/* Add every page that is not all zeros, and its number. Pages never touched stay untouched. */
struct sha256;
void ram_hash(const struct ram *ram, struct sha256 *hash);

/* Map a whole file; `what` names it in messages. An empty file is an error. */
bool file_map(struct mapped_file *file, const char *path, const char *what, char *error, size_t error_size);
void file_unmap(struct mapped_file *file);

#endif
