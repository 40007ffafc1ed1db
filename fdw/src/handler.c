/* Module entry and the FdwRoutine: wiring, nothing else. Writes have no callbacks, so PostgreSQL refuses them
 * (0A000). */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "src/catalog.h"
#include "src/client.h"
#include "src/compat.h"
#include "src/import.h"
#include "src/option.h"
#include "src/plan.h"
#include "src/scan_node.h"
#include "src/transaction.h"
#include "src/view.h"
#include "src/worker.h"

#if PG_VERSION_NUM >= 180000
PG_MODULE_MAGIC_EXT(.name = "linuxsql", .version = "0.1.0");
#else
PG_MODULE_MAGIC;
#endif

static void transaction_ends(XactEvent event, void *argument) {
  switch (event) {
  case XACT_EVENT_PRE_COMMIT: transaction_before_commit(); break;
  case XACT_EVENT_PRE_PREPARE: transaction_before_prepare(); break;
  case XACT_EVENT_COMMIT:
  case XACT_EVENT_ABORT:
  case XACT_EVENT_PREPARE:
    view_end_of_transaction();
    worker_end_of_transaction(event == XACT_EVENT_COMMIT);
    transaction_forget();
    client_end_of_transaction(true);
    catalog_end_of_transaction();
    break;
  default: break;
  }
}

/* A control function that was interrupted under an exception handler: its peer must notice now. */
static void subtransaction_ends(SubXactEvent event, SubTransactionId own, SubTransactionId parent,
                                void *argument) {
  if (event == SUBXACT_EVENT_ABORT_SUB) client_end_of_transaction(false);
}

extern PGDLLEXPORT void _PG_init(void);
void _PG_init(void) {
  option_define_settings();
  catalog_initialize();
  view_initialize();
  RegisterXactCallback(transaction_ends, NULL);
  RegisterSubXactCallback(subtransaction_ends, NULL);
  worker_initialize();
}

PG_FUNCTION_INFO_V1(linuxsql_handler);
Datum linuxsql_handler(PG_FUNCTION_ARGS) {
  FdwRoutine *routine = makeNode(FdwRoutine);

  routine->GetForeignRelSize = plan_rel_size;
  routine->GetForeignPaths = plan_paths;
  routine->GetForeignPlan = plan_scan;
  routine->BeginForeignScan = scan_node_begin;
  routine->IterateForeignScan = scan_node_next;
  routine->ReScanForeignScan = scan_node_rescan;
  routine->EndForeignScan = scan_node_end;
  routine->ExplainForeignScan = scan_node_explain;
  routine->ImportForeignSchema = import_schema;
  routine->AnalyzeForeignTable = analyze_table;
  PG_RETURN_POINTER(routine);
}
