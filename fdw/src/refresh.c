/* The refresh worker: runs what vm_refresh_every scheduled, one at a time, each in its own transaction. A
 * stalled service ends a refresh by a time limit, and a failure is a row of vm_refresh_log, never the end of
 * the schedule. */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timeout.h"
#include "src/worker.h"

#define TICK_MS       1000
#define MINIMUM_MS    20
#define TIME_LIMIT_MS 60000

struct due {
  Oid view;     /* InvalidOid: none is due */
  long wait_ms; /* until the next is */
};

static long bounded(double ms) { return ms < MINIMUM_MS ? MINIMUM_MS : ms > TICK_MS ? TICK_MS : (long)ms; }

static void find_due(void *argument) {
  struct due *due = argument;
  bool isnull;
  double left;
  char *schema = worker_extension_schema();

  due->view = InvalidOid;
  due->wait_ms = TICK_MS;
  if (schema == NULL) return;
  SPI_execute(psprintf("delete from %s.vm_refresh_schedule s where not exists "
                       "(select from pg_catalog.pg_class c where c.oid = s.view)",
                       schema),
              false, 0);
  SPI_execute(
      psprintf("select view::oid, 1000 * extract(epoch from next_run - pg_catalog.clock_timestamp())::float8 "
               "from %s.vm_refresh_schedule where method = 'worker' order by next_run limit 1",
               schema),
      true, 1);
  if (SPI_processed == 0) return;
  left = DatumGetFloat8(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
  due->wait_ms = bounded(left);
  if (left > 0) return;
  due->view = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

static void run(void *argument) {
  struct due *due = argument;
  char *schema = worker_extension_schema();

  if (schema == NULL) return;
  enable_timeout_after(STATEMENT_TIMEOUT, TIME_LIMIT_MS);
  SPI_execute(
      psprintf("select %s.vm_refresh_run(%u::pg_catalog.oid::pg_catalog.regclass)", schema, due->view), false,
      0);
  disable_timeout(STATEMENT_TIMEOUT, false);
}

/* After an error that vm_refresh_run itself did not survive: later, not at once again. */
static void put_off(void *argument) {
  struct due *due = argument;
  char *schema = worker_extension_schema();

  if (schema == NULL) return;
  SPI_execute(psprintf("update %s.vm_refresh_schedule set next_run = pg_catalog.clock_timestamp() + every, "
                       "failures = failures + 1 where view::oid = %u",
                       schema, due->view),
              false, 0);
}

void linuxsql_refresh_main(Datum argument) {
  MemoryContext loop;

  worker_begin(argument, WORKER_REFRESH);
  loop = AllocSetContextCreate(TopMemoryContext, "linuxsql refresh loop", ALLOCSET_DEFAULT_SIZES);
  for (;;) {
    struct due due = {InvalidOid, TICK_MS};

    MemoryContextSwitchTo(loop);
    if (worker_transaction("looking for refreshes that are due", find_due, &due) && OidIsValid(due.view)) {
      if (!worker_transaction("refreshing a materialized view", run, &due)) {
        disable_timeout(STATEMENT_TIMEOUT, false);
        worker_transaction("putting a refresh off", put_off, &due);
      }
      due.wait_ms = MINIMUM_MS;
    }
    MemoryContextReset(loop);
    worker_wait(due.wait_ms);
  }
}
