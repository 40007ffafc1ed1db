/* Going on from a checkpoint. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm/db.h"
#include "vm/machine.h"
#include "vm/state.h"

bool machine_loading(const struct machine *machine) { return machine->db && db_loading(machine->db); }

/* Granules that hold bytes now. NULL: no memory. */
static uint8_t *used_granules(const struct ram *ram) {
  uint64_t granules = ram->size / GRANULE_BYTES;
  uint8_t *used = calloc(granules, 1);
  off_t at = 0, size = (off_t)ram->size;
  while (used && at < size) {
    off_t data = lseek(ram->fd, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    off_t hole = data < 0 ? size : lseek(ram->fd, data, SEEK_HOLE);
    if (data < 0) data = at;
    if (hole < 0) hole = size;
    uint64_t first = (uint64_t)data / GRANULE_BYTES, last = ((uint64_t)hole - 1) / GRANULE_BYTES;
    memset(used + first, 1, last - first + 1);
    at = hole;
  }
  return used;
}

/* A replay's disk is of its own making. */
static bool hold_disk(const struct machine *machine, struct state_error *error) {
  struct disk_control control = {.kind = DISK_HOLD};
  struct block_request request = {.op = BLOCK_CONTROL, .buffer = &control};
  if (!machine->disk || config_past(machine->config)) return true;
  block_submit(machine->disk, &request);
  if (block_wait(&request) == 0) return true;
  *error = (struct state_error){"55000", "the disk cannot be put aside now"};
  return false;
}

/* The database's part: after it, the machine is the checkpoint's. */
static bool take(struct machine *machine, const struct state_saved *saved, struct state_error *error) {
  if (!hold_disk(machine, error)) return false;
  db_stop_loading(machine->db);
  uint8_t *stale = used_granules(&machine->ram);
  uint64_t epoch = preimages_reset(&machine->preimages); /* no view may see what is loaded from now on */
  struct residency residency = preimages_residency(&machine->preimages);
  if (!db_take(machine->db, saved, machine->ram.host, machine->ram.size, stale, residency, error))
    return false;
  machine->base_epoch = epoch;
  machine->base_layer = saved->ram_layer;
  memset(machine->phys.page_state, 0, machine->phys.ram_size / PAGE_SIZE);
  return true;
}

/* Like every other thing from outside, it is in the log: a replay of the boot before ends here, and one of
 * this boot begins. */
static void note(struct machine *machine, const struct state_saved *saved) {
  if (machine->started) machine->generation = db_next_boot(machine->db);
  machine->started = true;
  if (!config_past(machine->config))
    machine->hooks.log_input(machine->hooks.log_opaque, "restore", &saved->id, sizeof saved->id);
  telemetry_set_generation(machine->telemetry, machine->generation);
}

static bool restore(struct machine *machine, const struct state_saved *saved, bool *broken,
                    struct state_error *error) {
  struct blob present = {0};
  struct state_error ignored;
  if (!state_check(&saved->state, machine->ram.size, error)) return false;
  bool good = state_pack(machine, &present) && state_finish(&present);
  if (!good) *error = (struct state_error){"53200", "the present state cannot be put aside"};
  if (good) {
    good = state_unpack(machine, &saved->state, error) && take(machine, saved, error);
    if (!good && !state_unpack(machine, &present, &ignored)) *broken = true;
  }
  blob_free(&present);
  return good;
}

bool machine_restore(struct machine *machine, const char *name, bool *broken, struct state_error *error) {
  struct state_saved saved;
  *broken = false;
  if (machine_loading(machine) && !db_load_all(machine->db)) {
    *error = (struct state_error){"08006", "guest memory cannot be loaded"};
    return false;
  }
  bool good = db_find(machine->db, name, &saved, error);
  if (good && !saved.id) {
    *error = (struct state_error){"42704", "there is no checkpoint to go on from"};
    good = false;
  }
  good = good && restore(machine, &saved, broken, error);
  if (good) note(machine, &saved);
  state_free(&saved);
  return good;
}
