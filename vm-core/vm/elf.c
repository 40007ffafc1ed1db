#include "vm/elf.h"

#include <elf.h>
#include <string.h>

struct reader {
  const uint8_t *file;
  size_t size;
};

/* Copy `size` bytes at `offset` of the file; false when they are not all there. */
static bool take(const struct reader *reader, uint64_t offset, void *to, size_t size) {
  if (offset > reader->size || size > reader->size - offset) return false;
  memcpy(to, reader->file + offset, size);
  return true;
}

static const char *check_header(const Elf64_Ehdr *header) {
  if (memcmp(header->e_ident, ELFMAG, SELFMAG)) return "not an ELF file";
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) {
    return "not a 64-bit little-endian ELF file";
  }
  if (header->e_machine != EM_RISCV) return "not a RISC-V program";
  if (header->e_type != ET_EXEC && header->e_type != ET_DYN) return "not an executable ELF file";
  if (header->e_phentsize != sizeof(Elf64_Phdr) || !header->e_phnum) return "no program headers";
  return NULL;
}

static const char *load_segment(const struct reader *reader, const Elf64_Phdr *segment, uint8_t *ram,
                                uint64_t ram_base, uint64_t ram_size) {
  uint64_t offset = segment->p_paddr - ram_base;
  if (segment->p_filesz > segment->p_memsz) return "segment larger in the file than in memory";
  if (offset > ram_size || segment->p_memsz > ram_size - offset) return "segment outside guest RAM";
  if (!take(reader, segment->p_offset, ram + offset, segment->p_filesz)) return "segment outside the file";
  return NULL;
}

/* Look through one symbol table for the two HTIF symbols; a damaged one is just not used. */
static void find_symbols(const struct reader *reader, const Elf64_Shdr *table, const Elf64_Shdr *strings,
                         struct elf_image *image) {
  if (table->sh_entsize != sizeof(Elf64_Sym)) return;
  for (uint64_t i = 0, count = table->sh_size / sizeof(Elf64_Sym); i < count; i++) {
    Elf64_Sym symbol;
    char name[9] = "";
    if (!take(reader, table->sh_offset + i * sizeof symbol, &symbol, sizeof symbol)) return;
    if (symbol.st_name >= strings->sh_size) continue;
    uint64_t room = strings->sh_size - symbol.st_name;
    size_t length = room < sizeof name ? (size_t)room : sizeof name;
    if (!take(reader, strings->sh_offset + symbol.st_name, name, length)) continue;
    if (!memcmp(name, "tohost", 7)) image->tohost = symbol.st_value;
    if (!memcmp(name, "fromhost", 9)) image->fromhost = symbol.st_value;
  }
}

static bool section(const struct reader *reader, const Elf64_Ehdr *header, unsigned index, Elf64_Shdr *out) {
  return index < header->e_shnum &&
         take(reader, header->e_shoff + (uint64_t)index * sizeof *out, out, sizeof *out);
}

bool elf_load(const uint8_t *file, size_t file_size, uint8_t *ram, uint64_t ram_base, uint64_t ram_size,
              struct elf_image *image, const char **error) {
  struct reader reader = {file, file_size};
  Elf64_Ehdr header;
  *image = (struct elf_image){0};
  *error = "not an ELF file";
  if (!take(&reader, 0, &header, sizeof header)) return false;
  if ((*error = check_header(&header))) return false;
  image->entry = header.e_entry;
  for (unsigned i = 0; i < header.e_phnum; i++) {
    Elf64_Phdr segment;
    *error = "program headers outside the file";
    if (!take(&reader, header.e_phoff + (uint64_t)i * sizeof segment, &segment, sizeof segment)) return false;
    if (segment.p_type != PT_LOAD || !segment.p_memsz) continue;
    if ((*error = load_segment(&reader, &segment, ram, ram_base, ram_size))) return false;
  }
  *error = "entry point outside guest RAM or odd";
  if (image->entry - ram_base >= ram_size || (image->entry & 1)) return false;
  if (header.e_shentsize != sizeof(Elf64_Shdr)) return true;
  for (unsigned i = 0; i < header.e_shnum; i++) {
    Elf64_Shdr table, strings;
    if (!section(&reader, &header, i, &table) || table.sh_type != SHT_SYMTAB) continue;
    if (section(&reader, &header, table.sh_link, &strings)) find_symbols(&reader, &table, &strings, image);
  }
  return true;
}
