/* Loading statically linked RISC-V ELF64 programs. The file is untrusted: every offset is checked. */
#ifndef VM_ELF_H
#define VM_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_image {
  uint64_t entry;
  uint64_t tohost, fromhost; /* addresses of these symbols, 0 when absent */
};

/* Copy the loadable segments (by physical address) of the file in memory to `ram`, which stands for
 * guest-physical [ram_base, ram_base + ram_size) and is zero. false: *error is a static one-line reason. */
bool elf_load(const uint8_t *file, size_t file_size, uint8_t *ram, uint64_t ram_base, uint64_t ram_size,
              struct elf_image *image, const char **error);

#endif
