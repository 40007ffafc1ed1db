/* Planner callbacks, and what they hand to the executor in ForeignScan.fdw_private.
 *
 * Quals the service applies stand in fdw_recheck_quals, so they survive setrefs and show in EXPLAIN; those it
 * applies only in part stand in the plan's own quals too. */
#ifndef LINUXSQL_PLAN_H
#define LINUXSQL_PLAN_H

#include "postgres.h"

#include "foreign/fdwapi.h"

/* Items of ForeignScan.fdw_private. */
enum plan_item {
  PLAN_ATTRIBUTES, /* IntList: attribute numbers to fetch */
  PLAN_SORT,       /* IntList: catalogue column, descending, nulls first; NIL: no order */
  PLAN_ITEMS
};

extern void plan_rel_size(PlannerInfo *root, RelOptInfo *rel, Oid table);
extern void plan_paths(PlannerInfo *root, RelOptInfo *rel, Oid table);
extern ForeignScan *plan_scan(PlannerInfo *root, RelOptInfo *rel, Oid table, ForeignPath *path, List *targets,
                              List *clauses, Plan *outer);

#endif /* LINUXSQL_PLAN_H */
