#include "src/shape.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "utils/syscache.h"

/* The node `plan` takes its rows from unchanged in number, or NULL. */
static const Plan *below(const Plan *plan) {
  if (IsA(plan, Result) && ((const Result *)plan)->resconstantqual == NULL && plan->qual == NIL)
    return plan->lefttree;
  if (IsA(plan, SubqueryScan) && plan->qual == NIL) return ((const SubqueryScan *)plan)->subplan;
  return NULL;
}

static bool feeds(const Plan *plan, const Plan *scan) {
  while (plan != NULL && plan != scan) plan = below(plan);
  return plan == scan;
}

static const Limit *search(const Plan *plan, const Plan *scan);

static const Limit *search_list(List *plans, const Plan *scan) {
  ListCell *cell;

  foreach (cell, plans) {
    const Limit *found = search(lfirst(cell), scan);

    if (found != NULL) return found;
  }
  return NULL;
}

static const Limit *search(const Plan *plan, const Plan *scan) {
  const Limit *found = NULL;

  if (plan == NULL) return NULL;
  switch (nodeTag(plan)) {
  case T_Limit:
    if (feeds(plan->lefttree, scan)) return (const Limit *)plan;
    break;
  case T_Append: found = search_list(((const Append *)plan)->appendplans, scan); break;
  case T_MergeAppend: found = search_list(((const MergeAppend *)plan)->mergeplans, scan); break;
  case T_SubqueryScan: found = search(((const SubqueryScan *)plan)->subplan, scan); break;
  default: break;
  }
  if (found == NULL) found = search(plan->lefttree, scan);
  if (found == NULL) found = search(plan->righttree, scan);
  return found;
}

const Limit *shape_limit_above(const PlannedStmt *statement, const Plan *scan) {
  const Limit *limit = search(statement->planTree, scan);

  if (limit == NULL) limit = search_list(statement->subplans, scan);
  return limit != NULL && limit->limitOption == LIMIT_OPTION_COUNT ? limit : NULL;
}

static bool unknown_before_execution(Node *node, void *context) {
  if (node == NULL) return false;
  if (IsA(node, Param)) return ((Param *)node)->paramkind != PARAM_EXTERN;
  if (IsA(node, Var) || IsA(node, SubPlan)) return true;
  return expression_tree_walker(node, unknown_before_execution, context);
}

/* Value of a LIMIT or OFFSET expression; -1: not known. */
static int64 evaluate(Node *expression, PlanState *scan, int64 if_null) {
  Datum value;
  bool isnull;

  if (expression == NULL) return if_null;
  if (exprType(expression) != INT8OID || unknown_before_execution(expression, NULL)) return -1;
  value = ExecEvalExprSwitchContext(ExecInitExpr((Expr *)expression, NULL), scan->ps_ExprContext, &isnull);
  if (isnull) return if_null;
  return Max(DatumGetInt64(value), -1);
}

int64 shape_limit_value(const Limit *limit, PlanState *scan) {
  int64 count, offset;

  if (limit == NULL) return -1;
  count = evaluate(limit->limitCount, scan, -1);
  offset = evaluate(limit->limitOffset, scan, 0);
  if (count < 0 || offset < 0 || count > PG_INT64_MAX - offset) return -1;
  return count + offset;
}

static bool has_user_function(const PlannedStmt *statement) {
  ListCell *cell;

  foreach (cell, statement->invalItems)
    if (((PlanInvalItem *)lfirst(cell))->cacheId == PROCOID) return true;
  return false;
}

bool shape_scans_once(const PlannedStmt *statement, const Plan *scan) {
  const Plan *plan = statement->planTree;

  if (statement->subplans != NIL || has_user_function(statement)) return false;
  while (plan != NULL && plan != scan) {
    switch (nodeTag(plan)) {
    case T_SubqueryScan: plan = ((const SubqueryScan *)plan)->subplan; break;
    case T_Limit:
    case T_Sort:
    case T_IncrementalSort:
    case T_Agg:
    case T_Group:
    case T_Unique:
    case T_WindowAgg:
    case T_Result:
    case T_ProjectSet:
    case T_Material:
    case T_ModifyTable: plan = plan->lefttree; break;
    default: return false;
    }
  }
  return plan == scan;
}
