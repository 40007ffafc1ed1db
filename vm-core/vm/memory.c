#include "vm/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool ram_create(struct ram *ram, uint64_t size, char *error, size_t error_size) {
  *ram = (struct ram){.fd = memfd_create("linuxsql-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING), .size = size};
  void *host = MAP_FAILED;
  if (ram->fd >= 0 && ftruncate(ram->fd, (off_t)size) == 0)
    host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, ram->fd, 0);
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

/* The seal against new writers forbids punching holes, so pages in use are overwritten. */
void ram_clear(struct ram *ram) {
  off_t at = 0, size = (off_t)ram->size;
  while (at < size) {
    off_t data = lseek(ram->fd, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return;
    off_t hole = data < 0 ? size : lseek(ram->fd, data, SEEK_HOLE);
    if (data < 0) data = at;
    if (hole < 0) hole = size;
    memset(ram->host + data, 0, (size_t)(hole - data));
    at = hole;
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
