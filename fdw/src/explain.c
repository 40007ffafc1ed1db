/* EXPLAIN of a foreign scan; declared in scan_node.h. */
#include "src/scan_node.h"

#include "nodes/makefuncs.h"
#include "utils/ruleutils.h"
#include "src/compat.h"
#include "src/option.h"

static void show_clauses(ForeignScanState *node, const char *label, List *clauses, ExplainState *explain) {
  List *context;

  if (clauses == NIL) return;
  context = set_deparse_context_plan(explain->deparse_cxt, node->ss.ps.plan, NIL);
  ExplainPropertyText(label,
                      deparse_expression((Node *)make_ands_explicit(clauses), context,
                                         list_length(explain->rtable) > 1, false),
                      explain);
}

/* Those in part are weaker on the service's side, and stand in the filter too. */
static void show_quals(ForeignScanState *node, const struct scan_node *state, ExplainState *explain) {
  ForeignScan *plan = (ForeignScan *)node->ss.ps.plan;
  List *whole = NIL, *part = NIL;
  ListCell *cell;

  foreach (cell, plan->fdw_recheck_quals) {
    struct qual *qual = qual_compile(lfirst(cell), plan->scan.scanrelid, state->table);

    if (qual != NULL && !qual->lossy)
      whole = lappend(whole, lfirst(cell));
    else
      part = lappend(part, lfirst(cell));
  }
  show_clauses(node, "Quals pushed", whole, explain);
  show_clauses(node, "Quals pushed in part", part, explain);
}

static void show_columns(const struct scan_node *state, ExplainState *explain) {
  StringInfoData names;
  ListCell *cell;

  initStringInfo(&names);
  foreach (cell, state->attributes)
    appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
                     state->table->relation->columns[state->table->column_of[lfirst_int(cell)]].name);
  ExplainPropertyText("Columns", names.len > 0 ? names.data : "(none)", explain);
}

static void show_sort(const struct scan_node *state, ExplainState *explain) {
  if (state->sort == NIL) return;
  ExplainPropertyText("Sort",
                      psprintf("%s%s", state->table->relation->columns[linitial_int(state->sort)].name,
                               lsecond_int(state->sort) ? " desc" : ""),
                      explain);
}

static void show_limit(ForeignScanState *node, const struct scan_node *state, ExplainState *explain) {
  int64 value = explain->analyze ? state->limit_value : shape_limit_value(state->limit, &node->ss.ps);

  if (value >= 0) ExplainPropertyInteger("Limit", NULL, value, explain);
}

static void show_statistics(struct scan_node *state, ExplainState *explain) {
  const struct scan_statistics *statistics = &state->scan.statistics;

  scan_settle(&state->scan);
  ExplainPropertyInteger("Rows received", NULL, (int64)statistics->rows, explain);
  ExplainPropertyInteger("Rows sent by the service", NULL, (int64)statistics->rows_sent, explain);
  ExplainPropertyInteger("Rows examined", NULL, (int64)statistics->rows_examined, explain);
  if (explain->timing)
    ExplainPropertyFloat("Service time", "ms", (double)statistics->elapsed_ns / 1e6, 3, explain);
}

void scan_node_explain(ForeignScanState *node, ExplainState *explain) {
  struct scan_node *state = node->fdw_state;

  if (state == NULL) return;
  if (explain->verbose) {
    ExplainPropertyText("Relation", state->table->relation->name, explain);
    ExplainPropertyText("Machine", state->table->machine != NULL ? state->table->machine : "(current)",
                        explain);
    if (state->table->as_of != NULL || option_as_of[0] != '\0')
      ExplainPropertyText("As of", state->table->as_of != NULL ? state->table->as_of : option_as_of, explain);
    show_columns(state, explain);
  }
  show_quals(node, state, explain);
  show_sort(state, explain);
  show_limit(node, state, explain);
  if (explain->analyze) show_statistics(state, explain);
}
