/* Every test of PG_VERSION_NUM in this extension; PostgreSQL 15 to 18. */
#ifndef LINUXSQL_COMPAT_H
#define LINUXSQL_COMPAT_H

#include "postgres.h"

#include "catalog/pg_collation.h"
#include "commands/explain.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "storage/latch.h"
#include "utils/pg_locale.h"
#include "utils/wait_event.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#include "storage/waiteventset.h"
#endif

#ifdef WORDS_BIGENDIAN
#error "the row protocol is little-endian, and rows become Datums in place"
#endif
StaticAssertDecl(SIZEOF_DATUM == 8, "rows become Datums in place: 64-bit servers only");

/* The id of a named wait event; looked up once at each place that waits. */
#if PG_VERSION_NUM >= 170000
#define compat_wait_event(name)                                                                              \
  ({                                                                                                         \
    static uint32 wait_event_;                                                                               \
    if (wait_event_ == 0) wait_event_ = WaitEventExtensionNew(name);                                         \
    wait_event_;                                                                                             \
  })
#else
#define compat_wait_event(name) PG_WAIT_EXTENSION
#endif

/* A wait event set that lives as long as the session. */
static inline WaitEventSet *compat_create_wait_event_set(int nevents) {
#if PG_VERSION_NUM >= 170000
  return CreateWaitEventSet(NULL, nevents);
#else
  return CreateWaitEventSet(TopMemoryContext, nevents);
#endif
}

static inline ForeignPath *compat_foreign_path(PlannerInfo *root, RelOptInfo *rel, double rows, Cost startup,
                                               Cost total, List *pathkeys, Relids required_outer,
                                               List *fdw_private) {
#if PG_VERSION_NUM >= 180000
  return create_foreignscan_path(root, rel, NULL, rows, 0, startup, total, pathkeys, required_outer, NULL,
                                 NIL, fdw_private);
#elif PG_VERSION_NUM >= 170000
  return create_foreignscan_path(root, rel, NULL, rows, startup, total, pathkeys, required_outer, NULL, NIL,
                                 fdw_private);
#else
  return create_foreignscan_path(root, rel, NULL, rows, startup, total, pathkeys, required_outer, NULL,
                                 fdw_private);
#endif
}

/* Does this pathkey sort downwards? */
static inline bool compat_pathkey_descending(const PathKey *key) {
#if PG_VERSION_NUM >= 180000
  return key->pk_cmptype == COMPARE_GT;
#else
  return key->pk_strategy == BTGreaterStrategyNumber;
#endif
}

/* Does text order under this collation equal byte order? */
static inline bool compat_collation_is_c(Oid collation) {
#if PG_VERSION_NUM >= 180000
  return OidIsValid(collation) && pg_newlocale_from_collation(collation)->collate_is_c;
#else
  return OidIsValid(collation) && lc_collate_is_c(collation);
#endif
}

#if PG_VERSION_NUM < 160000
#define object_ownercheck(classid, objectid, roleid) pg_class_ownercheck(objectid, roleid)
#endif

#endif /* LINUXSQL_COMPAT_H */
