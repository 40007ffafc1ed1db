#include "src/scan_node.h"

#include "access/sysattr.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "src/option.h"
#include "src/plan.h"

char *scan_node_socket(const struct table_definition *table) {
  return table->socket != NULL ? pstrdup(table->socket) : option_service_socket();
}

static void stop_at_reset(void *argument) { scan_stop(&((struct scan_node *)argument)->scan, false); }

static void compile_quals(struct scan_node *state, ForeignScanState *node, ForeignScan *plan) {
  ListCell *cell;

  state->quals_exact = true;
  foreach (cell, plan->fdw_recheck_quals) {
    struct qual *qual = qual_compile(lfirst(cell), plan->scan.scanrelid, state->table);

    if (qual == NULL) {
      state->recheck = true;
      continue;
    }
    qual_prepare(qual, &node->ss.ps);
    state->quals = lappend(state->quals, qual);
    if (qual->lossy) state->quals_exact = false;
  }
}

void scan_node_begin(ForeignScanState *node, int flags) {
  ForeignScan *plan = (ForeignScan *)node->ss.ps.plan;
  EState *estate = node->ss.ps.state;
  struct scan_node *state = palloc0(sizeof *state);

  node->fdw_state = state;
  state->table = catalog_table(RelationGetRelid(node->ss.ss_currentRelation));
  state->attributes = list_nth(plan->fdw_private, PLAN_ATTRIBUTES);
  state->sort = list_nth(plan->fdw_private, PLAN_SORT);
  compile_quals(state, node, plan);
  if (plan->scan.plan.qual == NIL && state->quals_exact && !state->recheck)
    state->limit = shape_limit_above(estate->es_plannedstmt, &plan->scan.plan);
  state->limit_value = -1;
  if (flags & EXEC_FLAG_EXPLAIN_ONLY) return;
  state->scan.relation = state->table->relation;
  state->scan.path = scan_node_socket(state->table);
  state->scan.machine = option_resolve_source(state->table->machine, state->table->as_of);
  state->scan.statement = view_statement();
  state->scan.private_view =
      !(flags & EXEC_FLAG_REWIND) && shape_scans_once(estate->es_plannedstmt, &plan->scan.plan);
  state->context = AllocSetContextCreate(CurrentMemoryContext, "linuxsql scan", ALLOCSET_SMALL_SIZES);
  state->cleanup.func = stop_at_reset;
  state->cleanup.arg = state;
  MemoryContextRegisterResetCallback(estate->es_query_cxt, &state->cleanup);
}

/* All attributes that the quals mention too: for a local check of quals that were too big to send. */
static List *with_qual_attributes(const struct scan_node *state, ForeignScan *plan) {
  Bitmapset *used = NULL;
  List *attributes = NIL;

  pull_varattnos((Node *)plan->fdw_recheck_quals, plan->scan.scanrelid, &used);
  for (AttrNumber attribute = 1; attribute <= state->table->natts; attribute++)
    if (list_member_int(state->attributes, attribute) ||
        bms_is_member(attribute - FirstLowInvalidHeapAttributeNumber, used))
      attributes = lappend_int(attributes, attribute);
  return attributes;
}

static void choose_columns(struct scan *scan, const struct table_definition *table, List *attributes) {
  int count = list_length(attributes);
  int16 *columns = palloc((size_t)Max(count, 1) * sizeof *columns),
        *places = palloc((size_t)Max(count, 1) * sizeof *places);
  uint64_t *never_null = palloc0((size_t)(count / 64 + 1) * sizeof *never_null);

  for (int i = 0; i < count; i++) {
    AttrNumber attribute = (AttrNumber)list_nth_int(attributes, i);

    columns[i] = table->column_of[attribute];
    places[i] = (int16)(attribute - 1);
    if (!table->relation->columns[columns[i]].nullable) never_null[i / 64] |= UINT64_C(1) << (i % 64);
  }
  scan->ncolumns = count;
  scan->columns = columns;
  scan->places = places;
  scan->never_null = never_null;
}

/* Fills scan->request: limit, columns, sort key, quals, with the parameters of now. */
static void prepare_scan(ForeignScanState *node) {
  struct scan_node *state = node->fdw_state;
  ForeignScan *plan = (ForeignScan *)node->ss.ps.plan;
  ExprContext *context = node->ss.ps.ps_ExprContext;
  StringInfoData quals;
  MemoryContext caller;

  MemoryContextReset(state->context);
  caller = MemoryContextSwitchTo(state->context);
  initStringInfo(&quals);
  if (!qual_encode(state->quals, context, &quals)) state->recheck = true;
  state->limit_value = state->recheck ? -1 : shape_limit_value(state->limit, &node->ss.ps);
  choose_columns(&state->scan, state->table,
                 state->recheck ? with_qual_attributes(state, plan) : state->attributes);
  initStringInfo(&state->scan.request);
  wire_put_u64(&state->scan.request, (uint64_t)state->limit_value);
  wire_put_u16(&state->scan.request, (uint16_t)state->scan.ncolumns);
  for (int i = 0; i < state->scan.ncolumns; i++)
    wire_put_u16(&state->scan.request, (uint16_t)state->scan.columns[i]);
  wire_put_u16(&state->scan.request, state->sort != NIL ? 1 : 0);
  if (state->sort != NIL) {
    wire_put_u16(&state->scan.request, (uint16_t)linitial_int(state->sort));
    wire_put_u8(&state->scan.request, (uint8_t)lsecond_int(state->sort));
    wire_put_u8(&state->scan.request, (uint8_t)lthird_int(state->sort));
  }
  appendBinaryStringInfo(&state->scan.request, quals.data, quals.len);
  MemoryContextSwitchTo(caller);
}

TupleTableSlot *scan_node_next(ForeignScanState *node) {
  struct scan_node *state = node->fdw_state;
  TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
  ExprContext *context = node->ss.ps.ps_ExprContext;

  if (state->scan.open == NULL && !state->scan.finished) {
    prepare_scan(node);
    memset(slot->tts_isnull, true, (size_t)slot->tts_tupleDescriptor->natts * sizeof *slot->tts_isnull);
  }
  for (;;) {
    ExecClearTuple(slot);
    if (!scan_next(&state->scan, slot->tts_values, slot->tts_isnull)) return slot;
    ExecStoreVirtualTuple(slot);
    if (likely(!state->recheck)) return slot;
    context->ecxt_scantuple = slot;
    ResetExprContext(context);
    if (ExecQual(node->fdw_recheck_quals, context)) return slot;
    CHECK_FOR_INTERRUPTS();
  }
}

void scan_node_rescan(ForeignScanState *node) {
  struct scan_node *state = node->fdw_state;

  scan_stop(&state->scan, true);
}

void scan_node_end(ForeignScanState *node) {
  struct scan_node *state = node->fdw_state;

  if (state != NULL && state->scan.path != NULL) scan_stop(&state->scan, false);
}
