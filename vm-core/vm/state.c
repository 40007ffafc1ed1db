#include "vm/state.h"

#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "gen/telemetry.h"
#include "hart/state.h"
#include "mmu/mmu.h"

/* "LSQSTATE", little-endian. */
#define STATE_MAGIC UINT64_C(0x455441545351534c)
enum { STATE_VERSION = 2, STATE_OLDEST = 1, NOTE_USER_SEEN = 1, SHA_BYTES = 32, MESSAGE_BYTES = 200 };

static bool fail(struct state_error *error, const char *sqlstate, const char *message) {
  memcpy(error->sqlstate, sqlstate, sizeof error->sqlstate);
  snprintf(error->message, sizeof error->message, "%s", message);
  return false;
}

static void digest(const uint8_t *bytes, size_t size, uint8_t out[SHA_BYTES]) {
  struct sha256 hash;
  sha256_init(&hash);
  sha256_update(&hash, bytes, size);
  sha256_final(&hash, out);
}

/* No part of the guest's state: for a replay that begins here, so that it numbers and counts as its original
 * did. */
static void pack_telemetry(const struct machine *machine, struct blob *out) {
  uint64_t rings[RING_COUNT], counters[COUNTER_COUNT];
  telemetry_extents(machine->telemetry, rings, counters);
  size_t telemetry = blob_begin(out);
  blob_put(out, rings, sizeof rings);
  blob_put(out, counters, sizeof counters);
  blob_end(out, telemetry);
}

bool state_pack(const struct machine *machine, struct blob *out) {
  uint64_t words[HART_STATE_WORDS];
  blob_u64(out, STATE_MAGIC);
  blob_u32(out, STATE_VERSION);
  blob_u32(out, machine->user_seen ? NOTE_USER_SEEN : 0);
  blob_u64(out, machine->ram.size);
  size_t devices = blob_begin(out); /* first: what is waited for may lose the disk */
  bus_save(&machine->bus, out);
  blob_end(out, devices);
  hart_state_save(&machine->hart, words);
  size_t hart = blob_begin(out);
  blob_put(out, words, sizeof words);
  blob_end(out, hart);
  size_t mmu = blob_begin(out);
  mmu_save(&machine->hart, out);
  blob_end(out, mmu);
  pack_telemetry(machine, out);
  return !out->failed;
}

bool state_finish(struct blob *blob) {
  uint8_t sha[SHA_BYTES];
  if (blob->failed) return false;
  digest(blob->bytes, blob->size, sha);
  blob_put(blob, sha, sizeof sha);
  return !blob->failed;
}

/* The parts of a state; readers into its bytes. */
struct parts {
  uint32_t notes;
  uint64_t ram_bytes;
  struct blob_reader devices, mmu, telemetry; /* telemetry: nothing in version 1 */
  uint64_t words[HART_STATE_WORDS];
};

static bool split(const struct blob *blob, struct parts *parts, struct state_error *error) {
  uint8_t sha[SHA_BYTES];
  if (blob->size < SHA_BYTES) return fail(error, "XX001", "the saved state is damaged: it is cut short");
  size_t size = blob->size - SHA_BYTES;
  struct blob_reader in = {blob->bytes, size, false};
  if (blob_get_u64(&in) != STATE_MAGIC)
    return fail(error, "XX001", "the saved state is damaged: no such mark");
  uint32_t version = blob_get_u32(&in);
  if (version < STATE_OLDEST || version > STATE_VERSION)
    return fail(error, "0A000", "the saved state is of a version this program does not know");
  digest(blob->bytes, size, sha);
  if (memcmp(sha, blob->bytes + size, sizeof sha) != 0)
    return fail(error, "XX001", "the saved state is damaged: its SHA-256 is another");
  parts->notes = blob_get_u32(&in);
  parts->ram_bytes = blob_get_u64(&in);
  parts->devices = blob_get_part(&in);
  struct blob_reader hart = blob_get_part(&in);
  parts->mmu = blob_get_part(&in);
  parts->telemetry = version > 1 ? blob_get_part(&in) : (struct blob_reader){0};
  blob_get(&hart, parts->words, sizeof parts->words);
  if (!blob_done(&in) || !blob_done(&hart) || parts->notes > NOTE_USER_SEEN)
    return fail(error, "XX001", "the saved state is damaged: its parts do not fit");
  return true;
}

bool state_check(const struct blob *blob, uint64_t ram_bytes, struct state_error *error) {
  struct parts parts;
  char what[HART_STATE_NAME], message[MESSAGE_BYTES];
  if (!split(blob, &parts, error)) return false;
  if (parts.ram_bytes != ram_bytes)
    return fail(error, "55000", "the checkpoint is of a machine with another size of memory");
  if (hart_state_check(parts.words, what)) return true;
  snprintf(message, sizeof message, "the saved state is damaged: %s", what);
  return fail(error, "XX001", message);
}

/* Written by a program with other counters, it is left out. */
static void replay_telemetry(struct machine *machine, struct blob_reader *in) {
  uint64_t rings[RING_COUNT], counters[COUNTER_COUNT];
  if (!config_past(machine->config) || in->left != sizeof rings + sizeof counters) return;
  blob_get(in, rings, sizeof rings);
  blob_get(in, counters, sizeof counters);
  telemetry_go_on(machine->telemetry, rings, counters);
}

static bool load_hart(struct machine *machine, const struct parts *parts, struct state_error *error) {
  struct hart *hart = &machine->hart;
  const char *problem = "no memory for the hart";
  bus_reset(&machine->bus);
  engine_destroy(machine->engine);
  machine->engine = NULL;
  mmu_detach(hart);
  memset(machine->phys.page_state, 0, machine->phys.ram_size / PAGE_SIZE);
  hart_init(hart);
  hart->telemetry = machine->telemetry;
  hart_state_load(hart, parts->words);
  if (mmu_attach(hart, &machine->phys))
    machine->engine = engine_create(hart, machine->config->engine, &machine->hooks.run, &problem);
  return machine->engine || fail(error, "53200", problem);
}

bool state_unpack(struct machine *machine, const struct blob *blob, struct state_error *error) {
  struct parts parts;
  char message[MESSAGE_BYTES];
  if (!split(blob, &parts, error) || !load_hart(machine, &parts, error)) return false;
  machine->user_seen = parts.notes & NOTE_USER_SEEN;
  replay_telemetry(machine, &parts.telemetry);
  if (!bus_load(&machine->bus, &parts.devices, message, sizeof message)) return fail(error, "XX001", message);
  if (!mmu_load(&machine->hart, &parts.mmu) || !blob_done(&parts.devices) || !blob_done(&parts.mmu))
    return fail(error, "XX001", "the saved state is damaged: cached translations");
  return true;
}
