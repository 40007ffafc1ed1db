#include "vm/state.h"

#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "hart/state.h"
#include "mmu/mmu.h"

/* "LSQSTATE", little-endian. */
#define STATE_MAGIC UINT64_C(0x455441545351534c)
enum { STATE_VERSION = 1, NOTE_USER_SEEN = 1, SHA_BYTES = 32, MESSAGE_BYTES = 200 };

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
  struct blob_reader devices, mmu;
  uint64_t words[HART_STATE_WORDS];
};

static bool split(const struct blob *blob, struct parts *parts, struct state_error *error) {
  uint8_t sha[SHA_BYTES];
  if (blob->size < SHA_BYTES) return fail(error, "XX001", "the saved state is damaged: it is cut short");
  size_t size = blob->size - SHA_BYTES;
  struct blob_reader in = {blob->bytes, size, false};
  if (blob_get_u64(&in) != STATE_MAGIC)
    return fail(error, "XX001", "the saved state is damaged: no such mark");
  if (blob_get_u32(&in) != STATE_VERSION)
    return fail(error, "0A000", "the saved state is of a version this program does not know");
  digest(blob->bytes, size, sha);
  if (memcmp(sha, blob->bytes + size, sizeof sha) != 0)
    return fail(error, "XX001", "the saved state is damaged: its SHA-256 is another");
  parts->notes = blob_get_u32(&in);
  parts->ram_bytes = blob_get_u64(&in);
  parts->devices = blob_get_part(&in);
  struct blob_reader hart = blob_get_part(&in);
  parts->mmu = blob_get_part(&in);
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
  if (!bus_load(&machine->bus, &parts.devices, message, sizeof message)) return fail(error, "XX001", message);
  if (!mmu_load(&machine->hart, &parts.mmu) || !blob_done(&parts.devices) || !blob_done(&parts.mmu))
    return fail(error, "XX001", "the saved state is damaged: cached translations");
  return true;
}
