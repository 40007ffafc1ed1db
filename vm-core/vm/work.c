#include "vm/work.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mmu/mmu.h"
#include "vm/db.h"
#include "vm/report.h"
#include "vm/runner.h"
#include "vm/state.h"
#include "vm/transaction.h"

static void fail(struct work *work, const char *sqlstate, const char *message) {
  work->good = false;
  snprintf(work->error.sqlstate, sizeof work->error.sqlstate, "%s", sqlstate);
  snprintf(work->error.message, sizeof work->error.message, "%s", message);
}

/* struct state_save.next: by tags, or by what was ever written. State thread. */
static uint64_t next_granule(void *opaque, uint64_t granule, bool full) {
  const struct machine *machine = ((const struct runner *)opaque)->machine;
  uint64_t granules = machine->ram.size / GRANULE_BYTES;
  if (full) {
    off_t data = lseek(machine->ram.fd, (off_t)(granule * GRANULE_BYTES), SEEK_DATA);
    if (data < 0) return errno == ENXIO ? UINT64_MAX : granule;
    return (uint64_t)data / GRANULE_BYTES;
  }
  for (; granule < granules; granule++)
    for (unsigned page = 0; page < GRANULE_PAGES; page++)
      if (preimages_tag(&machine->preimages, granule * GRANULE_PAGES + page) >= machine->base_epoch)
        return granule;
  return UINT64_MAX;
}

static void read_granule(void *opaque, uint64_t granule, uint8_t *bytes) {
  const struct preimages *preimages = &((const struct runner *)opaque)->machine->preimages;
  for (unsigned page = 0; page < GRANULE_PAGES; page++)
    undo_read(preimages, &preimages->undo[UNDO_CHECKPOINT], granule * GRANULE_PAGES + page,
              bytes + page * PAGE_SIZE);
}

static bool prepare(void *opaque) { return state_finish(&((struct runner *)opaque)->work.save.state); }

/* State thread. */
static void written(void *opaque) {
  struct runner *runner = opaque;
  pthread_mutex_lock(&runner->lock);
  struct work *work = &runner->work;
  struct machine *machine = runner->machine;
  work->good = work->save.good;
  work->error = work->save.error;
  work->host_ns = host_now_ns() - work->began_ns;
  if (work->good) {
    machine->base_layer = work->save.ram_layer;
    machine->base_epoch = machine->preimages.undo[UNDO_CHECKPOINT].epoch;
  }
  undo_close(&machine->preimages, &machine->preimages.undo[UNDO_CHECKPOINT]);
  blob_free(&work->save.state);
  work->phase = work->owned ? WORK_DONE : WORK_IDLE;
  if (!work->owned && !work->good)
    fprintf(stderr, "linuxsql-vm: checkpoint %s: %s\n", work->save.name, work->error.message);
  pthread_mutex_unlock(&runner->lock);
  runner_notify(runner);
}

static void seal_disk(struct machine *machine, struct state_save *save) {
  save->has_disk = machine->disk != NULL;
  save->control = (struct disk_control){.kind = DISK_SEAL};
  save->seal.op = BLOCK_CONTROL;
  save->seal.buffer = &save->control;
  if (save->has_disk) block_submit(machine->disk, &save->seal);
}

/* What must be done while the guest stands still; the rest follows on the state thread. */
static bool begin_checkpoint(struct runner *runner, struct work *work, bool automatic) {
  struct machine *machine = runner->machine;
  struct state_save *save = &work->save;
  *save = (struct state_save){.automatic = automatic,
                              .ram_bytes = machine->ram.size,
                              .instret = hart_instret(&machine->hart),
                              .time_ns = hart_time_ns(&machine->hart),
                              .below = machine->base_layer,
                              .prepare = prepare,
                              .next = next_granule,
                              .read = read_granule,
                              .done = written,
                              .opaque = runner};
  snprintf(save->name, sizeof save->name, "%s", work->name);
  if (!state_pack(machine, &save->state)) {
    blob_free(&save->state);
    fail(work, "53200", "the state of the machine cannot be saved: no memory, or its disk is lost");
    return false;
  }
  if (!undo_open(&machine->preimages, &machine->preimages.undo[UNDO_CHECKPOINT])) {
    blob_free(&save->state);
    fail(work, "53200", "no memory for a checkpoint");
    return false;
  }
  mmu_drop_writable(&machine->hart);
  db_log_position(machine->db, &save->boot, &save->input_seq);
  seal_disk(machine, save);
  return true;
}

static void checkpoint(struct runner *runner, struct work *work, bool automatic) {
  uint64_t start = host_now_ns();
  work->began_ns = start;
  bool begun = begin_checkpoint(runner, work, automatic);
  work->instret = work->save.instret;
  work->time_ns = work->save.time_ns;
  work->pause_ns = host_now_ns() - start;
  if (!begun) {
    pthread_mutex_lock(&runner->lock);
    work->phase = work->owned ? WORK_DONE : WORK_IDLE;
    pthread_mutex_unlock(&runner->lock);
    runner_notify(runner);
    return;
  }
  pthread_mutex_lock(&runner->lock);
  work->phase = WORK_WRITING;
  pthread_mutex_unlock(&runner->lock);
  db_save(runner->machine->db, &work->save); /* one at a time: it is taken */
}

/* Another past: what was counted so far stays counted. */
static void restore(struct runner *runner, struct work *work) {
  struct engine_counters past = runner_counters(runner);
  uint64_t insns = runner_insns(runner);
  bool broken;
  work->good = machine_restore(runner->machine, work->name, &broken, &work->error);
  runner->past = past;
  runner->past_insns = insns - hart_instret(&runner->machine->hart);
  pace_start(&runner->pace, hart_time_ns(&runner->machine->hart));
  pthread_mutex_lock(&runner->lock);
  if (work->good) runner->mode = MODE_PAUSED;
  pthread_mutex_unlock(&runner->lock);
  if (broken) runner_quit(runner, "going on from a checkpoint failed half-way", false);
}

static void perform(struct runner *runner, struct work *work) {
  switch (work->kind) {
  case WORK_RESTORE: restore(runner, work); break;
  case WORK_BEGIN: work->good = transaction_begin(runner, &work->error); break;
  case WORK_COMMIT: work->good = transaction_commit(runner, &work->error); break;
  case WORK_ROLLBACK:
    work->good = transaction_rollback(runner, &work->error);
    if (!work->good) runner_quit(runner, "a transaction could not be rolled back", false);
    break;
  default:
    machine_hash(runner->machine, work->hash);
    work->good = true;
    break;
  }
}

static void other(struct runner *runner, struct work *work) {
  uint64_t start = host_now_ns();
  perform(runner, work);
  work->boot = runner->machine->generation;
  work->instret = hart_instret(&runner->machine->hart);
  work->time_ns = hart_time_ns(&runner->machine->hart);
  work->pc = runner->machine->hart.pc;
  work->host_ns = work->pause_ns = host_now_ns() - start;
  pthread_mutex_lock(&runner->lock);
  report(runner);
  work->phase = work->owned ? WORK_DONE : WORK_IDLE;
  pthread_mutex_unlock(&runner->lock);
  runner_notify(runner);
}

void work_take(struct runner *runner) {
  struct work *work = &runner->work;
  if (work->phase != WORK_WANTED) return;
  pthread_mutex_unlock(&runner->lock);
  console_flush(runner->console);
  if (!runner->machine->db && (work->kind == WORK_CHECKPOINT || work->kind == WORK_RESTORE)) {
    fail(work, "55000", "a machine that does not come from a database has no checkpoints");
    work->phase = WORK_DONE;
    runner_notify(runner);
  } else if (work->kind == WORK_CHECKPOINT) {
    checkpoint(runner, work, false);
  } else {
    other(runner, work);
  }
  pthread_mutex_lock(&runner->lock);
}

static uint64_t every(const struct runner *runner) {
  return runner->machine->db ? db_checkpoint_every(runner->machine->db) : 0;
}

uint64_t work_next_stop(const struct runner *runner) {
  uint64_t n = every(runner), now = hart_instret(&runner->machine->hart);
  return n ? (now / n + 1) * n : UINT64_MAX;
}

void work_automatic(struct runner *runner) {
  struct work *work = &runner->work;
  uint64_t n = every(runner), now = hart_instret(&runner->machine->hart);
  if (!n || runner->transaction.open || now == 0 || now % n || work->phase != WORK_IDLE ||
      now == runner->automatic_at)
    return;
  runner->automatic_at = now;
  work->phase = WORK_WRITING;
  work->owned = false;
  snprintf(work->name, sizeof work->name, "auto-%llu-%llu", (unsigned long long)runner->machine->generation,
           (unsigned long long)now);
  pthread_mutex_unlock(&runner->lock);
  console_flush(runner->console);
  checkpoint(runner, work, true);
  pthread_mutex_lock(&runner->lock);
}

bool work_want(struct runner *runner, enum work_kind kind, const char *name) {
  pthread_mutex_lock(&runner->lock);
  struct work *work = &runner->work;
  bool idle = work->phase == WORK_IDLE && !runner->quit;
  if (idle) {
    memset(work, 0, sizeof *work);
    work->kind = kind;
    work->phase = WORK_WANTED;
    work->owned = true;
    snprintf(work->name, sizeof work->name, "%s", name);
    bool replaces = kind == WORK_RESTORE || kind == WORK_ROLLBACK;
    if (replaces && runner->step_open) runner->step_cancelled = true;
    if (kind == WORK_RESTORE && runner->mode == MODE_RUNNING) runner->mode = MODE_PAUSED;
    hart_request_attention(&runner->machine->hart);
    pthread_cond_broadcast(&runner->wake);
  }
  pthread_mutex_unlock(&runner->lock);
  return idle;
}

bool work_done(struct runner *runner, struct work *out) {
  pthread_mutex_lock(&runner->lock);
  bool done = runner->work.phase == WORK_DONE;
  if (done) {
    *out = runner->work;
    runner->work.phase = WORK_IDLE;
  }
  pthread_mutex_unlock(&runner->lock);
  return done;
}

void work_abandon(struct runner *runner) {
  pthread_mutex_lock(&runner->lock);
  runner->work.owned = false;
  if (runner->work.phase == WORK_DONE || runner->work.phase == WORK_WANTED) runner->work.phase = WORK_IDLE;
  pthread_mutex_unlock(&runner->lock);
}
