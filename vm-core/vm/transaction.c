#include "vm/transaction.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/mmu.h"
#include "vm/db.h"
#include "vm/state.h"

/* Of the disk, if it is one of the database. */
static int control_disk(const struct machine *machine, enum disk_control_kind kind) {
  struct disk_control control = {.kind = kind};
  struct block_request request = {.op = BLOCK_CONTROL, .buffer = &control};
  if (!machine->disk) return 0;
  block_submit(machine->disk, &request);
  return block_wait(&request);
}

static bool fail(struct state_error *error, const char *sqlstate, const char *message) {
  *error = (struct state_error){0};
  memcpy(error->sqlstate, sqlstate, 5);
  strncpy(error->message, message, sizeof error->message - 1);
  return false;
}

static bool put_aside(struct runner *runner, struct state_error *error) {
  struct machine *machine = runner->machine;
  struct transaction *saved = &runner->transaction;
  saved->typed = input_copy(runner->input, &saved->typed_bytes);
  if (!saved->typed || !state_pack(machine, &saved->state) || !state_finish(&saved->state))
    return fail(error, "53200", "the state of the machine cannot be put aside");
  if (undo_open(&machine->preimages, &machine->preimages.undo[UNDO_TRANSACTION])) return true;
  return fail(error, "53200", "no memory to keep what guest memory holds");
}

static void forget(struct runner *runner) {
  struct transaction *saved = &runner->transaction;
  undo_close(&runner->machine->preimages, &runner->machine->preimages.undo[UNDO_TRANSACTION]);
  blob_free(&saved->state);
  free(saved->typed);
  *saved = (struct transaction){0};
}

bool transaction_begin(struct runner *runner, struct state_error *error) {
  struct machine *machine = runner->machine;
  struct transaction *saved = &runner->transaction;
  int failed = control_disk(machine, DISK_HOLD);
  if (failed == -ENOTSUP)
    return fail(error, "0A000", "changes of a machine whose disk is a file cannot be undone");
  if (failed) return fail(error, "58030", "the disk of the machine cannot be held");
  if (!put_aside(runner, error)) {
    forget(runner);
    control_disk(machine, DISK_RELEASE);
    return false;
  }
  mmu_drop_writable(&machine->hart);
  if (machine->db) db_log_hold(machine->db);
  saved->generation = machine->generation;
  saved->base_layer = machine->base_layer;
  saved->mode = runner->mode;
  saved->open = true;
  return true;
}

bool transaction_commit(struct runner *runner, struct state_error *error) {
  struct machine *machine = runner->machine;
  if (machine->disk && atomic_load(&machine->disk->overflowed))
    return fail(error, "54000",
                "the transaction changed more of the disk than can be held back (--disk-cache)");
  if (machine->db) db_log_release(machine->db, true);
  if (control_disk(machine, DISK_RELEASE)) return fail(error, "58030", "the disk could not be written");
  forget(runner);
  return true;
}

/* Devices first: requests in flight are waited for, and must not reach the disk once it is as before. */
bool transaction_rollback(struct runner *runner, struct state_error *error) {
  struct machine *machine = runner->machine;
  struct transaction *saved = &runner->transaction;
  struct engine_counters past = runner_counters(runner);
  uint64_t insns = runner_insns(runner);
  bool good = state_unpack(machine, &saved->state, error);
  undo_restore(&machine->preimages, &machine->preimages.undo[UNDO_TRANSACTION], machine->ram.host);
  if (control_disk(machine, DISK_REVERT)) good = fail(error, "58030", "the disk could not be taken back");
  if (machine->db) db_log_release(machine->db, false);
  input_replace(runner->input, saved->typed, saved->typed_bytes);
  runner->past = past;
  runner->past_insns = insns - hart_instret(&machine->hart);
  machine->generation = saved->generation;
  machine->base_layer = saved->base_layer;
  telemetry_set_generation(machine->telemetry, machine->generation);
  pace_start(&runner->pace, hart_time_ns(&machine->hart));
  pthread_mutex_lock(&runner->lock);
  runner->mode = saved->mode;
  pthread_mutex_unlock(&runner->lock);
  forget(runner);
  return good;
}
