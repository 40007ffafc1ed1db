/* Questions about the plan above a foreign scan. */
#ifndef LINUXSQL_SHAPE_H
#define LINUXSQL_SHAPE_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "nodes/plannodes.h"

/* The Limit node that takes its rows from `scan` one for one (only projections between them), or NULL. */
extern const Limit *shape_limit_above(const PlannedStmt *statement, const Plan *scan);
/* limit + offset of that node now; -1 when there is none or it is not known before execution. */
extern int64 shape_limit_value(const Limit *limit, PlanState *scan);
/* Is `scan` the only scan of the statement, begun once, with no function of the user's beside it? */
extern bool shape_scans_once(const PlannedStmt *statement, const Plan *scan);

#endif /* LINUXSQL_SHAPE_H */
