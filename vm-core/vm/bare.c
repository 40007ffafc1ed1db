#include "vm/bare.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/sha256.h"
#include "hart/state.h"
#include "mmu/mmu.h"
#include "mmu/phys.h"
#include "vm/confine.h"
#include "vm/elf.h"
#include "vm/htif.h"

enum { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_USAGE = 2 };

#define RAM_BASE    UINT64_C(0x80000000)
#define RAM_DEFAULT (UINT64_C(256) << 20)
#define RAM_MAX     (UINT64_C(64) << 30)

struct bare {
  uint64_t memory;
  uint8_t *ram;
  struct hart hart;
  struct phys phys;
  struct htif htif;
  struct engine *engine;
  double seconds;
};

static int refuse(const struct bare_options *options, const char *reason) {
  fprintf(stderr, "linuxsql-vm: %s: %s\n", options->file, reason);
  return EXIT_USAGE;
}

/* The whole file, read-only; NULL: *error says why. */
static const uint8_t *map_file(const char *path, size_t *size, const char **error) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  *error = "cannot be opened";
  if (fd < 0) return NULL;
  void *data = MAP_FAILED;
  *error = "is not a readable file with content";
  if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0) {
    *size = (size_t)st.st_size;
    data = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
  }
  close(fd);
  return data == MAP_FAILED ? NULL : data;
}

static const char *load(struct bare *bare, const struct bare_options *options, struct elf_image *image) {
  const char *error;
  size_t size;
  const uint8_t *file = map_file(options->file, &size, &error);
  if (!file) return error;
  bool ok = elf_load(file, size, bare->ram, RAM_BASE, bare->memory, image, &error);
  munmap((void *)(uintptr_t)file, size);
  return ok ? NULL : error;
}

static const char *set_up(struct bare *bare, const struct bare_options *options) {
  const char *error;
  struct elf_image image;
  bare->memory = options->memory ? options->memory : RAM_DEFAULT;
  if (bare->memory > RAM_MAX || (bare->memory & 0xfff))
    return "memory must be a multiple of 4 KiB, at most 64 GiB";
  bare->ram =
      mmap(NULL, bare->memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (bare->ram == MAP_FAILED) {
    bare->ram = NULL;
    return "no memory for guest RAM";
  }
  if ((error = load(bare, options, &image))) return error;
  if (!image.tohost) return "has no tohost symbol";
  hart_init(&bare->hart);
  bare->hart.pc = image.entry;
  if (!phys_init(&bare->phys) || !phys_add_ram(&bare->phys, RAM_BASE, bare->memory, bare->ram))
    return "no memory";
  if (!mmu_attach(&bare->hart, &bare->phys)) return "no memory";
  if (!htif_attach(&bare->htif, &bare->hart, &bare->phys, image.tohost, image.fromhost)) {
    return "tohost or fromhost is misaligned or outside guest RAM";
  }
  bare->engine = engine_create(&bare->hart, options->engine, NULL, &error);
  return bare->engine ? NULL : error;
}

static void tear_down(struct bare *bare) {
  engine_destroy(bare->engine);
  mmu_detach(&bare->hart);
  phys_destroy(&bare->phys);
  if (bare->ram) munmap(bare->ram, bare->memory);
}

static double now_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void state_digest(const struct bare *bare, char text[65]) {
  struct sha256 sha;
  sha256_init(&sha);
  hart_hash(&bare->hart, &sha);
  sha256_update(&sha, bare->ram, bare->memory);
  sha256_final_hex(&sha, text);
}

static bool write_stats(const struct bare *bare, FILE *file, enum stop_reason reason) {
  struct engine_counters counters;
  char digest[65];
  engine_counters(bare->engine, &counters);
  state_digest(bare, digest);
  fprintf(file,
          "{\"instret\": %" PRIu64 ", \"interp_insns\": %" PRIu64 ", \"jit_insns\": %" PRIu64
          ", \"host_seconds\": %.6f, \"stopped_by\": \"%s\", \"exit_code\": %" PRIu64
          ", \"state_sha256\": \"%s\",\n",
          hart_instret(&bare->hart), counters.interp_insns, counters.jit_insns, bare->seconds,
          stop_reason_name(reason), bare->htif.exit_code, digest);
  engine_print_jit(&counters, file);
  return fclose(file) == 0;
}

static int report(const struct bare *bare, const struct bare_options *options, enum stop_reason reason) {
  const struct hart *hart = &bare->hart;
  if (reason == STOP_HTIF && !bare->htif.exit_code) return EXIT_PASS;
  if (reason == STOP_HTIF) {
    fprintf(stderr, "linuxsql-vm: %s: failed test %" PRIu64 "\n", options->file, bare->htif.exit_code);
    return EXIT_FAIL;
  }
  fprintf(stderr,
          "linuxsql-vm: %s: no result: stopped by %s at pc 0x%" PRIx64 " after %" PRIu64 " instructions\n",
          options->file, stop_reason_name(reason), hart->pc, hart_instret(hart));
  return EXIT_FAIL;
}

/* The program may be as hostile as any guest. */
static const char *open_and_confine(const struct bare_options *options, FILE **stats) {
  if (options->stats && !(*stats = fopen(options->stats, "we"))) return "the stats file cannot be written";
  bool failed = confine(&(struct confine_needs){0}) == CONFINE_FAILED;
  return failed ? "system calls cannot be filtered" : NULL;
}

static int run(struct bare *bare, const struct bare_options *options, FILE *stats) {
  struct run_limits limits = RUN_LIMITS_NONE;
  limits.stop_at_instret = options->max_insns;
  double start = now_seconds();
  enum stop_reason reason = run_hart(bare->engine, &limits);
  bare->seconds = now_seconds() - start;
  fflush(stdout);
  int status = report(bare, options, reason);
  if (!stats || write_stats(bare, stats, reason)) return status;
  fprintf(stderr, "linuxsql-vm: %s: cannot be written\n", options->stats);
  return EXIT_USAGE;
}

int bare_main(const struct bare_options *options) {
  struct bare *bare = calloc(1, sizeof *bare);
  FILE *stats = NULL;
  if (!bare) return refuse(options, "no memory");
  const char *error = set_up(bare, options);
  if (!error) error = open_and_confine(options, &stats);
  int status = error ? refuse(options, error) : run(bare, options, stats);
  tear_down(bare);
  free(bare);
  return status;
}
