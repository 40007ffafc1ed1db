#include "vm/report.h"

#include <inttypes.h>
#include <string.h>

#include "gen/telemetry.h"
#include "store/store.h"
#include "vm/db.h"

#define NS_PER_S UINT64_C(1000000000)

static enum machine_state state_of(const struct runner *runner) {
  if (atomic_load(&runner->store_waiting)) return MACHINE_STATE_WAITING;
  switch (runner->mode) {
  case MODE_RUNNING: return MACHINE_STATE_RUNNING;
  case MODE_STEPPING: return MACHINE_STATE_STEPPING;
  case MODE_POWEROFF: return MACHINE_STATE_POWEROFF;
  default: return MACHINE_STATE_PAUSED;
  }
}

static void report_hart(const struct runner *runner) {
  const struct hart *hart = &runner->machine->hart;
  struct hart_snapshot snapshot = {
      .instret = hart_instret(hart),
      .time_ns = hart_time_ns(hart),
      .pc = hart->pc,
      .priv = hart->priv,
      .satp = hart->csr.satp,
      .mstatus = hart->csr.mstatus,
      .sscratch = hart->csr.sscratch,
      .stvec = hart->csr.stvec,
      .sepc = hart->csr.sepc,
      .scause = hart->csr.scause,
      .stval = hart->csr.stval,
      .sie = hart->csr.mie & hart->csr.mideleg,
      .mip = hart_mip(hart),
      .medeleg = hart->csr.medeleg,
      .mideleg = hart->csr.mideleg,
      .mtvec = hart->csr.mtvec,
      .mepc = hart->csr.mepc,
      .mcause = hart->csr.mcause,
      .mtval = hart->csr.mtval,
      .mscratch = hart->csr.mscratch,
      .state = state_of(runner),
      .stop_reason = runner->last_stop,
      .host_run_ns = runner_host_ns(runner),
      .hz = runner->hz,
  };
  memcpy(snapshot.x, hart->x, sizeof snapshot.x);
  telemetry_publish(runner->machine->telemetry, &snapshot);
}

static void report_store(struct telemetry *telemetry, const struct block_device *disk) {
  const struct block_counters *counters = &disk->counters;
  telemetry_set(telemetry, COUNTER_STORE_LINE_HITS,
                atomic_load_explicit(&counters->line_hits, memory_order_relaxed));
  telemetry_set(telemetry, COUNTER_STORE_LINE_MISSES,
                atomic_load_explicit(&counters->line_misses, memory_order_relaxed));
  telemetry_set(telemetry, COUNTER_STORE_COMMITS,
                atomic_load_explicit(&counters->commits, memory_order_relaxed));
  telemetry_set(telemetry, COUNTER_STORE_COMMIT_NS,
                atomic_load_explicit(&counters->commit_ns, memory_order_relaxed));
  telemetry_set(telemetry, COUNTER_STORE_RECONNECTS,
                atomic_load_explicit(&counters->reconnects, memory_order_relaxed));
}

static void report_counters(const struct runner *runner) {
  struct telemetry *telemetry = runner->machine->telemetry;
  struct engine_counters counters = runner_counters(runner);
  telemetry_set(telemetry, COUNTER_INSTRET, runner_insns(runner));
  telemetry_set(telemetry, COUNTER_RAM_LOADING_BYTES,
                runner->machine->db ? db_bytes_left(runner->machine->db) : 0);
  telemetry_set(telemetry, COUNTER_IDLE_NS, runner->machine->hart.idle_ns);
  telemetry_set(telemetry, COUNTER_INTERP_INSNS, counters.interp_insns);
  telemetry_set(telemetry, COUNTER_JIT_INSNS, counters.jit_insns);
  telemetry_set(telemetry, COUNTER_JIT_COMPILES, counters.jit_compiles);
  telemetry_set(telemetry, COUNTER_JIT_EVICTIONS, counters.jit_evictions);
  telemetry_set(telemetry, COUNTER_JIT_ENTRIES, counters.jit_entries);
  for (unsigned i = 0; i < JIT_EXIT_COUNT; i++)
    telemetry_set(telemetry, COUNTER_JIT_EXIT_UNTRANSLATED + i, counters.jit_exits[i]);
  telemetry_set(telemetry, COUNTER_JIT_OP_CALLS, counters.jit_op_calls);
  telemetry_set(telemetry, COUNTER_JIT_REFILLS, counters.jit_refills);
  telemetry_set(telemetry, COUNTER_JIT_LOOKUPS, counters.jit_lookups);
  telemetry_set(telemetry, COUNTER_JIT_DROPS, counters.jit_drops);
  telemetry_set(telemetry, COUNTER_HOST_RUN_NS, runner_host_ns(runner));
  telemetry_set(telemetry, COUNTER_WFI, counters.wfi);
  telemetry_set(telemetry, COUNTER_BLOCKS_DECODED, counters.blocks_built);
  telemetry_set(telemetry, COUNTER_BLOCKS_INVALIDATED, counters.blocks_dropped);
  telemetry_set(telemetry, COUNTER_TLB_FILL_READ, counters.tlb_fill_read);
  telemetry_set(telemetry, COUNTER_TLB_FILL_WRITE, counters.tlb_fill_write);
  telemetry_set(telemetry, COUNTER_TLB_FILL_FETCH, counters.tlb_fill_fetch);
  telemetry_set(telemetry, COUNTER_TLB_FLUSH, counters.tlb_flush);
  telemetry_set(telemetry, COUNTER_TLB_FLUSH_PAGE, counters.tlb_flush_page);
  telemetry_set(telemetry, COUNTER_MMIO_READS, counters.mmio_reads);
  telemetry_set(telemetry, COUNTER_MMIO_WRITES, counters.mmio_writes);
  telemetry_set(telemetry, COUNTER_VIEWS_LOST, atomic_load(&runner->machine->preimages.lost));
  telemetry_set(telemetry, COUNTER_PREIMAGES, atomic_load(&runner->machine->preimages.saved));
  if (runner->machine->disk) report_store(telemetry, runner->machine->disk);
}

/* Over the last second of running; over all of it until there is one. */
static void update_hz(struct runner *runner) {
  uint64_t host = runner_host_ns(runner), insns = runner_insns(runner);
  uint64_t span = host - runner->hz_host_ns;
  if (span == 0 || (span < NS_PER_S && runner->hz_host_ns)) return;
  runner->hz = (uint64_t)((double)(insns - runner->hz_insns) * 1e9 / (double)span);
  if (span < NS_PER_S) return;
  runner->hz_host_ns = host;
  runner->hz_insns = insns;
}

void report(struct runner *runner) {
  update_hz(runner);
  report_counters(runner);
  report_hart(runner);
}

bool report_stats(const struct runner *runner, FILE *out) {
  const struct machine *machine = runner->machine;
  struct engine_counters counters = runner_counters(runner);
  char hash[65];
  machine_hash(machine, hash);
  double seconds = (double)runner_host_ns(runner) / 1e9;
  fprintf(out,
          "{\"instret\": %" PRIu64 ", \"idle_ns\": %" PRIu64 ", \"interp_insns\": %" PRIu64
          ", \"jit_insns\": %" PRIu64
          ",\n \"host_seconds\": %.6f, \"mips\": %.2f, \"first_user_instret\": %" PRIu64
          ", \"first_user_seconds\": %.6f,\n \"stop_reason\": \"%s\", \"state_sha256\": \"%s\",\n",
          hart_instret(&machine->hart), machine->hart.idle_ns, counters.interp_insns, counters.jit_insns,
          seconds, seconds > 0 ? (double)runner_insns(runner) / seconds / 1e6 : 0, runner->first_user_instret,
          runner->first_user_seconds, stop_reason_name(runner->last_stop), hash);
  engine_print_jit(&counters, out);
  return fclose(out) == 0;
}
