#include "vm/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/sha256.h"
#include "gen/board.h"
#include "mmu/mmu.h"
#include "store/store.h"
#include "vm/db.h"
#include "vm/memory.h"

enum { DEFAULT_MEMORY = 1 << 30 };
#define NS_PER_S UINT64_C(1000000000)

static bool load_file(struct machine *machine, struct boot_blob *blob, const char *path, const char *what,
                      char *error, size_t error_size) {
  if (!path) return true;
  struct mapped_file *file = &machine->files[machine->file_count];
  if (!file_map(file, path, what, error, error_size)) return false;
  machine->file_count++;
  *blob = (struct boot_blob){file->data, file->size};
  return true;
}

static bool open_files(struct machine *machine, char *error, size_t size) {
  const struct config *config = machine->config;
  struct boot_images *images = &machine->images;
  images->bootargs = config->append;
  machine->ram.size = config->memory ? config->memory : DEFAULT_MEMORY;
  machine->rtc.base_ns = config->rtc_base * NS_PER_S;
  machine->generation = 1;
  memcpy(machine->seed, config->seed, SEED_BYTES);
  if (!load_file(machine, &images->firmware, config->bios, "firmware", error, size) ||
      !load_file(machine, &images->kernel, config->kernel, "kernel", error, size) ||
      !load_file(machine, &images->initrd, config->initrd, "initrd", error, size) ||
      !load_file(machine, &images->dtb, config->dtb, "device tree", error, size))
    return false;
  if (!config->disk) return true;
  machine->disk = block_file_open(config->disk, config->disk_read_only, error, size);
  machine->disk_owned = true;
  return machine->disk != NULL;
}

static struct boot_blob blob_of(const struct db_blob *blob) {
  return (struct boot_blob){blob->data, blob->size};
}

static bool open_database(struct machine *machine, const struct machine_lost *lost, char *error,
                          size_t size) {
  const struct config *config = machine->config;
  struct db_options options = {.conninfo = config->db,
                               .machine = config->machine,
                               .orphan_timeout_s = (unsigned)config->orphan_timeout,
                               .cache_bytes = config->disk_cache,
                               .restored = config->checkpoint != NULL,
                               .past = {.wanted = config_past(config),
                                        .boot = config->replay_boot,
                                        .instret = config->replay_to,
                                        .checkpoint = config->replay_from},
                               .lost = lost->call,
                               .changed = lost->changed,
                               .opaque = lost->opaque};
  machine->db = db_open(&options, error, size);
  if (!machine->db) return false;
  const struct db_machine *row = db_machine(machine->db);
  struct boot_images *images = &machine->images;
  images->firmware = blob_of(&row->firmware);
  images->kernel = blob_of(&row->kernel);
  images->initrd = blob_of(&row->initrd);
  images->dtb = blob_of(&row->dtb);
  images->bootargs = config->append ? config->append : row->bootargs;
  machine->ram.size = config->memory ? config->memory : row->memory_bytes;
  machine->disk = row->disk;
  machine->generation = row->boot;
  memcpy(machine->seed, row->seed, SEED_BYTES);
  const char *problem = NULL;
  if (!images->firmware.data || !images->kernel.data) problem = "has no firmware or no kernel image";
  if (!memory_allowed(machine->ram.size))
    problem = "must have 16 MiB to 64 GiB of memory, a multiple of 2 MiB";
  if (problem) snprintf(error, size, "machine \"%s\" %s", config->machine, problem);
  return !problem;
}

/* The wall clock at boot is an outside input unless the machine fixes it. */
static void set_clock(struct machine *machine) {
  const struct db_machine *row = machine->db ? db_machine(machine->db) : NULL;
  if (!row) return;
  machine->rtc.base_ns = row->rtc_epoch_ns;
  if (row->rtc_fixed) return;
  void *opaque = machine->hooks.log_opaque;
  uint64_t *base_ns = &machine->rtc.base_ns;
  if (config_past(machine->config)) {
    machine->hooks.replayed(opaque, "clock", base_ns, sizeof *base_ns);
    return;
  }
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  *base_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
  machine->hooks.log_input(opaque, "clock", base_ns, sizeof *base_ns);
}

static bool build_virtio(struct machine *machine) {
  static const struct virtio_class empty = {.name = "virtio-empty", .id = VIRTIO_ID_NONE};
  struct bus *bus = &machine->bus;
  struct net_port port = {network_transmit, machine->network};
  for (unsigned i = 0; i < BOARD_VIRTIO_SLOTS; i++) {
    struct virtio_slot slot = {BOARD_VIRTIO0_BASE + i * BOARD_VIRTIO0_SIZE, BOARD_VIRTIO0_SIZE,
                               BOARD_VIRTIO0_IRQ + i};
    bool added;
    if (i == BOARD_VIRTIO_SLOT_BLK && machine->disk)
      added = blk_init(&machine->blk, bus, &machine->plic, machine->telemetry, &slot, machine->disk,
                       &machine->hooks.disk);
    else if (i == BOARD_VIRTIO_SLOT_CONSOLE)
      added = virtio_console_init(&machine->virtio_console, bus, &machine->plic, machine->telemetry, &slot,
                                  &machine->hooks.console);
    else if (i == BOARD_VIRTIO_SLOT_RNG)
      added = rng_init(&machine->rng, bus, &machine->plic, machine->telemetry, &slot);
    else if (i == BOARD_VIRTIO_SLOT_NET && machine->has_network)
      added = net_init(&machine->net, bus, &machine->plic, machine->telemetry, &slot, &port);
    else
      added =
          virtio_init(&machine->empty_slots[i], bus, &machine->plic, machine->telemetry, &slot, &empty, NULL);
    if (!added) return false;
  }
  return true;
}

static bool build_board(struct machine *machine) {
  struct bus *bus = &machine->bus;
  uint64_t rtc_base_ns = machine->rtc.base_ns;
  bus_init(bus, &machine->hart, &machine->phys);
  bool built = boot_rom_init(&machine->rom, bus) &&
               clint_init(&machine->clint, bus, BOARD_CLINT_BASE, BOARD_CLINT_SIZE) &&
               plic_init(&machine->plic, bus, BOARD_PLIC_BASE, BOARD_PLIC_SIZE) &&
               syscon_init(&machine->syscon, bus, BOARD_SYSCON_BASE, BOARD_SYSCON_SIZE) &&
               rtc_init(&machine->rtc, bus, &machine->plic, BOARD_RTC_IRQ, BOARD_RTC_BASE, BOARD_RTC_SIZE) &&
               uart_init(&machine->uart, bus, &machine->plic, BOARD_UART_IRQ, BOARD_UART_BASE,
                         BOARD_UART_SIZE, &machine->hooks.console) &&
               build_virtio(machine);
  machine->rtc.base_ns = rtc_base_ns;
  return built;
}

/* The choke point: demand loading, then what views and checkpoints want kept. */
static void page_present(void *opaque, uint64_t page) {
  struct machine *machine = opaque;
  if (machine->db && !db_need(machine->db, page / GRANULE_PAGES))
    hart_request_stop(&machine->hart, STOP_REQUESTED); /* lost: nothing of what follows is kept */
}

static void before_write(void *opaque, uint64_t page) {
  preimages_before_write(&((struct machine *)opaque)->preimages, page);
}

static bool build_hart(struct machine *machine, char *error, size_t size) {
  if (!ram_create(&machine->ram, machine->ram.size, error, size)) return false;
  if (!preimages_init(&machine->preimages, machine->ram.host, machine->ram.size, machine->config->view_pool,
                      error, size))
    return false;
  const char *problem = NULL;
  machine->telemetry = telemetry_create(BOARD_RAM_BASE, machine->ram.size, &problem);
  if (machine->telemetry) {
    hart_init(&machine->hart);
    machine->hart.telemetry = machine->telemetry;
    bool built = phys_init(&machine->phys) &&
                 phys_add_ram(&machine->phys, BOARD_RAM_BASE, machine->ram.size, machine->ram.host) &&
                 mmu_attach(&machine->hart, &machine->phys);
    machine->phys.hooks.page_present = page_present;
    machine->phys.hooks.before_write = before_write;
    machine->phys.hooks.opaque = machine;
    if (!built) problem = "no memory for the hart";
  }
  if (!problem)
    machine->engine = engine_create(&machine->hart, machine->config->engine, &machine->hooks.run, &problem);
  if (!machine->engine) snprintf(error, size, "%s", problem);
  return machine->engine != NULL;
}

static bool boot(struct machine *machine, char *error, size_t size) {
  struct random tree_random;
  set_clock(machine);
  bus_reset(&machine->bus);
  random_init(&tree_random, machine->seed, RANDOM_DEVICE_TREE, (uint32_t)machine->generation);
  random_fill(&tree_random, machine->images.rng_seed, sizeof machine->images.rng_seed);
  rng_seed(&machine->rng, machine->seed, (uint32_t)machine->generation);
  telemetry_set_generation(machine->telemetry, machine->generation);
  machine->started = true;
  return boot_load(&machine->rom, &machine->bus, &machine->images, error, size);
}

/* What the command line says, else what the database says. A replay hears nothing from outside and needs no
 * helper. */
static bool start_network(struct machine *machine, char *error, size_t size) {
  const char *text = machine->config->net;
  if (!text && machine->db) text = db_machine(machine->db)->network;
  machine->has_network = text && *text;
  bool replays = machine->config->replay || config_past(machine->config);
  if (!machine->has_network || replays) network_stop(machine->network);
  if (!machine->has_network) return true;
  return network_parse(&machine->network_options, text, error, size) &&
         (replays || network_start(machine->network, &machine->network_options, error, size));
}

bool machine_create(struct machine *machine, const struct config *config, const struct machine_hooks *hooks,
                    const struct machine_lost *lost, char *error, size_t size) {
  memset(machine, 0, sizeof *machine);
  machine->config = config;
  machine->name = config->machine;
  machine->hooks = *hooks;
  machine->ram.fd = -1;
  machine->network = hooks->network;
  bool opened = config->db ? open_database(machine, lost, error, size) : open_files(machine, error, size);
  if (!opened || !start_network(machine, error, size) || !build_hart(machine, error, size)) return false;
  if (!build_board(machine)) {
    snprintf(error, size, "no memory for the devices");
    return false;
  }
  const struct db_machine *row = machine->db ? db_machine(machine->db) : NULL;
  bool restore = row && (config->checkpoint || row->restore), broken;
  if (!restore) return boot(machine, error, size);
  struct state_error why;
  bus_reset(&machine->bus);
  if (machine_restore(machine, config->checkpoint, &broken, &why)) return true;
  snprintf(error, size, "machine \"%s\" cannot go on from its checkpoint: %s", config->machine, why.message);
  return false;
}

/* The engine and the TLB hold translations of memory that is about to change: they are made anew. */
bool machine_reset(struct machine *machine, char *error, size_t size) {
  if (machine_loading(machine)) db_load_all(machine->db); /* an open undo may need it */
  machine->base_layer = 0;
  bus_reset(&machine->bus);
  engine_destroy(machine->engine);
  machine->engine = NULL;
  mmu_detach(&machine->hart);
  preimages_reset(&machine->preimages);
  ram_clear(&machine->ram);
  memset(machine->phys.page_state, 0, machine->phys.ram_size / PAGE_SIZE);
  hart_init(&machine->hart);
  machine->hart.telemetry = machine->telemetry;
  machine->generation = machine->db ? db_next_boot(machine->db) : machine->generation + 1;
  const char *problem = "no memory for the hart";
  if (mmu_attach(&machine->hart, &machine->phys))
    machine->engine = engine_create(&machine->hart, machine->config->engine, &machine->hooks.run, &problem);
  if (!machine->engine) {
    snprintf(error, size, "%s", problem);
    return false;
  }
  return boot(machine, error, size);
}

void machine_close(struct machine *machine, const char *ended, bool stay_stopped) {
  if (machine->config && machine->config->stats && machine_loading(machine)) db_load_all(machine->db);
  blk_destroy(&machine->blk);
  if (machine->disk_owned && machine->disk) block_close(machine->disk);
  if (machine->db) db_close(machine->db, ended, stay_stopped);
  machine->disk = NULL;
  machine->db = NULL;
}

void machine_destroy(struct machine *machine) {
  machine_close(machine, "start failed", false);
  if (machine->engine) engine_destroy(machine->engine);
  if (machine->hart.mmu) mmu_detach(&machine->hart);
  phys_destroy(&machine->phys);
  ram_destroy(&machine->ram);
  preimages_destroy(&machine->preimages);
  telemetry_destroy(machine->telemetry);
  while (machine->file_count) file_unmap(&machine->files[--machine->file_count]);
}

void machine_hash(const struct machine *machine, char hex[65]) {
  struct sha256 hash;
  if (machine_loading(machine)) db_load_all(machine->db);
  sha256_init(&hash);
  hart_hash(&machine->hart, &hash);
  bus_hash(&machine->bus, &hash);
  ram_hash(&machine->ram, &hash);
  sha256_final_hex(&hash, hex);
}
