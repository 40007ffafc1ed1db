#include "vm/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sha256.h"
#include "vm/huge_pages.h"

enum { HASH_PAGE = 4096 };

bool ram_create(struct ram *ram, uint64_t size, char *error, size_t error_size) {
  *ram = (struct ram){.fd = memfd_create("linuxsql-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING), .size = size};
  void *host = MAP_FAILED;
  if (ram->fd >= 0 && ftruncate(ram->fd, (off_t)size) == 0) host = huge_map(ram->fd, size);
  if (host != MAP_FAILED) ram->host = host;
  int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
  if (ram->host && fcntl(ram->fd, F_ADD_SEALS, seals) == 0) return true;
  snprintf(error, error_size, "no memory for %llu MiB of guest RAM: %s", (unsigned long long)(size >> 20),
           strerror(errno));
  ram_destroy(ram);
  return false;
}

void ram_destroy(struct ram *ram) {
  if (ram->host) munmap(ram->host, ram->size);
  if (ram->fd >= 0) close(ram->fd);
  *ram = (struct ram){.fd = -1};
}

/* The next stretch of RAM in use from *at on; false: there is none. */
static bool next_extent(const struct ram *ram, off_t *at, off_t *end) {
  off_t size = (off_t)ram->size;
  if (*at >= size) return false;
  off_t data = lseek(ram->fd, *at, SEEK_DATA);
  if (data < 0 && errno == ENXIO) return false;
  *end = data < 0 ? size : lseek(ram->fd, data, SEEK_HOLE);
  if (*end < 0) *end = size;
  if (data >= 0) *at = data;
  return true;
}

/* The seal against new writers forbids punching holes, so pages in use are overwritten. */
void ram_clear(struct ram *ram) {
  for (off_t at = 0, end; next_extent(ram, &at, &end); at = end)
    memset(ram->host + at, 0, (size_t)(end - at));
}

void ram_hash(const struct ram *ram, struct sha256 *hash) {
  for (off_t at = 0, end; next_extent(ram, &at, &end); at = end)
    for (off_t page = at & ~(off_t)(HASH_PAGE - 1); page < end; page += HASH_PAGE) {
      const uint8_t *bytes = ram->host + page;
      uint64_t number = (uint64_t)page / HASH_PAGE;
      if (bytes[0] == 0 && memcmp(bytes, bytes + 1, HASH_PAGE - 1) == 0) continue;
      sha256_update(hash, &number, sizeof number);
      sha256_update(hash, bytes, HASH_PAGE);
    }
}

bool file_map(struct mapped_file *file, const char *path, const char *what, char *error, size_t error_size) {
  *file = (struct mapped_file){0};
  struct stat status;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  bool good = fd >= 0 && fstat(fd, &status) == 0;
  if (!good) {
    snprintf(error, error_size, "%s \"%s\": %s", what, path, strerror(errno));
  } else if (!S_ISREG(status.st_mode) || status.st_size == 0) {
    snprintf(error, error_size, "%s \"%s\": not a regular file, or empty", what, path);
    good = false;
  } else {
    void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    good = data != MAP_FAILED;
    if (good)
      *file = (struct mapped_file){data, (size_t)status.st_size};
    else
      snprintf(error, error_size, "%s \"%s\": %s", what, path, strerror(errno));
  }
  if (fd >= 0) close(fd);
  return good;
}

void file_unmap(struct mapped_file *file) {
  if (file->data) munmap(file->data, file->size);
  *file = (struct mapped_file){0};
}
