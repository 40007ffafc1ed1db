/* Executor callbacks. */
#ifndef LINUXSQL_SCAN_NODE_H
#define LINUXSQL_SCAN_NODE_H

#include "postgres.h"

#include "foreign/fdwapi.h"
#include "src/quals.h"
#include "src/scan.h"
#include "src/shape.h"

/* ForeignScanState.fdw_state. */
struct scan_node {
  const struct table_definition *table;
  List *attributes;      /* IntList: attribute numbers the plan needs */
  List *sort;            /* as PLAN_SORT */
  List *quals;           /* struct qual * */
  bool quals_exact;      /* no qual is lossy */
  const Limit *limit;    /* bound from above, if the service decides alone which rows pass */
  int64 limit_value;     /* as sent; -1: none */
  bool recheck;          /* the quals were too big to send: check them here */
  MemoryContext context; /* of `scan`'s request and column lists; reset for each scan */
  struct scan scan;
  MemoryContextCallback cleanup;
};

extern void scan_node_begin(ForeignScanState *node, int flags);
extern TupleTableSlot *scan_node_next(ForeignScanState *node);
extern void scan_node_rescan(ForeignScanState *node);
extern void scan_node_end(ForeignScanState *node);
/* explain.c */
extern void scan_node_explain(ForeignScanState *node, struct ExplainState *explain);

/* The service's socket and the machine behind a foreign table; palloc'd. */
extern char *scan_node_socket(const struct table_definition *table);

#endif /* LINUXSQL_SCAN_NODE_H */
