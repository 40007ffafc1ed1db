/* One machine: everything it owns and how the parts are wired. Built and torn down by the main thread, which
 * is also the hart thread; vm/runner.h says what other threads may touch. */
#ifndef VM_MACHINE_H
#define VM_MACHINE_H

#include "dev/bus.h"
#include "dev/clint.h"
#include "dev/plic.h"
#include "dev/rtc.h"
#include "dev/syscon.h"
#include "dev/uart.h"
#include "dev/virtio/blk.h"
#include "dev/virtio/console.h"
#include "dev/virtio/net.h"
#include "dev/virtio/rng.h"
#include "exec/run.h"
#include "telemetry/telemetry.h"
#include "vm/boot.h"
#include "vm/config.h"
#include "vm/network.h"
#include "vm/preimage.h"

struct db;

struct ram {
  int fd; /* memfd, sealed against shrinking, growing and new writers */
  uint8_t *host;
  uint64_t size;
};

/* A file mapped read-only. */
struct mapped_file {
  void *data;
  size_t size;
};
enum { MACHINE_FILES = 4 };

/* What the devices and the run loop tell the layer above; set before machine_create. */
struct machine_hooks {
  struct console_port console;
  struct blk_owner disk;
  struct run_owner run;
  /* Takes one outside input for the log. false: the log is full for now, the input must wait. */
  bool (*log_input)(void *opaque, const char *kind, const void *payload, uint32_t size);
  void *log_opaque;
  struct network *network; /* prepared; started if the machine has a card, else stopped */
  /* A replay's next input, if it is of this kind and size and belongs to this boot; it is taken. */
  bool (*replayed)(void *opaque, const char *kind, void *payload, uint32_t size);
};

struct machine {
  const struct config *config;
  const char *name;
  struct db *db; /* NULL without --db */
  struct ram ram;
  struct phys phys;
  struct preimages preimages;
  struct hart hart;
  struct engine *engine;
  struct telemetry *telemetry;
  struct bus bus;
  struct clint clint;
  struct plic plic;
  struct uart uart;
  struct rtc rtc;
  struct syscon syscon;
  struct blk blk;
  struct virtio_console virtio_console;
  struct rng rng;
  struct net net; /* only with has_network */
  struct virtio_mmio empty_slots[8];
  struct boot_rom rom;
  struct block_device *disk; /* NULL: none */
  bool disk_owned;           /* closed here, not by the database */
  struct boot_images images;
  struct mapped_file files[MACHINE_FILES];
  unsigned file_count;
  bool has_network;
  struct network_options network_options;
  struct network *network; /* the hooks' */
  uint8_t seed[SEED_BYTES];
  /* The RAM layer that the next checkpoint goes over (0: none), and the epoch from which tags tell the
   * changes since. */
  uint64_t base_layer, base_epoch;
  bool started;   /* booted or restored, by this daemon */
  bool user_seen; /* in this boot the guest has run in user mode; the runner's, saved with the state */
  uint64_t generation;
  struct machine_hooks hooks;
};

/* Build the machine from the command line or the database and reset it. false with one line in `error`. On
 * failure machine_destroy must still be called. `lost` runs on the I/O thread when the database is gone for
 * good. */
struct machine_lost {
  void (*call)(void *opaque, const char *reason);
  void (*changed)(void *opaque); /* how often checkpoints are taken; another thread */
  void *opaque;
};
bool machine_create(struct machine *machine, const struct config *config, const struct machine_hooks *hooks,
                    const struct machine_lost *lost, char *error, size_t error_size);

/* Reboot in place: RAM zeroed, devices and hart reset, images loaded, generation + 1. */
bool machine_reset(struct machine *machine, char *error, size_t error_size);

/* Go on from a checkpoint (NULL: the one the row says) in place of what the machine is: views are lost, the
 * generation is a new one, RAM is loaded as it is needed. On failure the machine is as it was, or, with
 * *broken, must end. The hart stands between two instructions. Blocks. */
struct state_error;
bool machine_restore(struct machine *machine, const char *name, bool *broken, struct state_error *error);
/* Whether RAM is still being loaded; any thread. */
bool machine_loading(const struct machine *machine);

/* End requests in flight, close the disk and the database (`ended`: one line why); memory stays readable. */
void machine_close(struct machine *machine, const char *ended, bool stay_stopped);
/* Free everything; after machine_close, or after a failed machine_create. */
void machine_destroy(struct machine *machine);

/* SHA-256 over the hart, the devices and every page of RAM that is not all zeros, with its number, as 64 hex
 * digits and NUL. Loads what is not loaded yet. */
void machine_hash(const struct machine *machine, char hex[65]);

#endif
