#include "src/plan.h"

#include "access/sysattr.h"
#include "nodes/makefuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "src/compat.h"
#include "src/quals.h"

/* In units of a sequential page read, about 10 microseconds: a round trip, a row walked, a row sent. */
#define COST_ROUND_TRIP 4.0
#define COST_EXAMINE    0.05
#define COST_SEND       0.02

struct relation_plan {
  const struct table_definition *table;
  double all_rows;
};

/* Catalogue columns compared for equality by `clauses` (RestrictInfo). */
static Bitmapset *equal_columns(RelOptInfo *rel, const struct table_definition *table, List *clauses) {
  Bitmapset *columns = NULL;
  ListCell *cell;

  foreach (cell, clauses) {
    struct qual *qual = qual_compile(lfirst_node(RestrictInfo, cell)->clause, rel->relid, table);

    if (qual != NULL) columns = bms_join(columns, qual_equal_columns(qual));
  }
  return columns;
}

static bool has_key(const struct catalogue_relation *relation, const Bitmapset *columns) {
  for (int i = 0; i < relation->nkeys; i++) {
    int have = 0;

    while (have < relation->keys[i].count && bms_is_member(relation->keys[i].column[have], columns)) have++;
    if (have == relation->keys[i].count) return true;
  }
  return false;
}

void plan_rel_size(PlannerInfo *root, RelOptInfo *rel, Oid oid) {
  struct relation_plan *plan = palloc0(sizeof *plan);

  plan->table = catalog_table(oid);
  plan->all_rows = catalog_estimated_rows(plan->table);
  rel->fdw_private = plan;
  rel->tuples = plan->all_rows;
  rel->pages = (BlockNumber)clamp_row_est(plan->all_rows * rel->reltarget->width / BLCKSZ);
  set_baserel_size_estimates(root, rel);
}

static Cost scan_cost(const struct relation_plan *plan, double rows, Bitmapset *equal, Cost *startup) {
  double examined = has_key(plan->table->relation, equal) ? rows : plan->all_rows;

  *startup = COST_ROUND_TRIP;
  return *startup + examined * COST_EXAMINE + rows * (COST_SEND + cpu_tuple_cost);
}

/* The declared order that `key` asks for, or NULL. */
static const struct catalogue_order *declared_order(RelOptInfo *rel, const struct relation_plan *plan,
                                                    PathKey *key, bool *nullable) {
  const struct catalogue_relation *relation = plan->table->relation;
  ListCell *cell;

  if (key->pk_eclass->ec_has_volatile) return NULL;
  foreach (cell, key->pk_eclass->ec_members) {
    EquivalenceMember *member = lfirst(cell);
    Var *var = (Var *)member->em_expr;
    int column;

    if (!IsA(var, Var) || var->varno != (int)rel->relid || var->varattno < 1) continue;
    column = plan->table->column_of[var->varattno];
    *nullable = relation->columns[column].nullable;
    if (relation->columns[column].type == COLUMN_TYPE_TEXT && !compat_collation_is_c(var->varcollid))
      continue;
    for (int i = 0; i < relation->norders; i++)
      if (relation->orders[i].column == column &&
          relation->orders[i].descending == compat_pathkey_descending(key))
        return &relation->orders[i];
  }
  return NULL;
}

/* A path that delivers the first query pathkey. */
static void add_sorted_path(PlannerInfo *root, RelOptInfo *rel, const struct relation_plan *plan,
                            Cost startup, Cost total) {
  const struct catalogue_order *order;
  bool nullable = false;
  PathKey *key;
  List *sort;

  if (root->query_pathkeys == NIL) return;
  key = linitial(root->query_pathkeys);
  order = declared_order(rel, plan, key, &nullable);
  /* PostgreSQL's default: nulls are above everything */
  if (order == NULL || (nullable && key->pk_nulls_first != order->descending)) return;
  sort = list_make3_int(order->column, order->descending, key->pk_nulls_first);
  add_path(rel, (Path *)compat_foreign_path(root, rel, rel->rows, startup, total, list_make1(key),
                                            rel->lateral_relids, sort));
}

struct column_match {
  Index relid;
  AttrNumber attribute;
};

static bool is_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *class, EquivalenceMember *member,
                      void *argument) {
  const struct column_match *match = argument;
  Var *var = (Var *)member->em_expr;

  return IsA(var, Var) && var->varno == (int)match->relid && var->varattno == match->attribute;
}

/* Join clauses `column = something of other relations`, explicit or implied by equivalence. */
static List *join_clauses_of(PlannerInfo *root, RelOptInfo *rel, const struct table_definition *table,
                             int column) {
  List *clauses = NIL;
  ListCell *cell;

  foreach (cell, rel->joininfo) {
    RestrictInfo *clause = lfirst(cell);
    struct qual *qual;

    if (!join_clause_is_movable_to(clause, rel)) continue;
    qual = qual_compile(clause->clause, rel->relid, table);
    if (qual != NULL && bms_is_member(column, qual_equal_columns(qual))) clauses = lappend(clauses, clause);
  }
  if (!rel->has_eclass_joins) return clauses;
  for (AttrNumber attribute = 1; attribute <= table->natts; attribute++) {
    struct column_match match = {rel->relid, attribute};

    if (table->column_of[attribute] != column) continue;
    clauses = list_concat(clauses, generate_implied_equalities_for_column(root, rel, is_column, &match,
                                                                          rel->lateral_referencers));
  }
  return clauses;
}

static void add_parameterized_path(PlannerInfo *root, RelOptInfo *rel, const struct relation_plan *plan,
                                   Relids outer) {
  ParamPathInfo *info = get_baserel_parampathinfo(root, rel, outer);
  List *clauses = list_concat_copy(info->ppi_clauses, rel->baserestrictinfo);
  Cost startup, total = scan_cost(plan, info->ppi_rows, equal_columns(rel, plan->table, clauses), &startup);

  add_path(rel, (Path *)compat_foreign_path(root, rel, info->ppi_rows, startup, total, NIL, outer, NIL));
}

/* One path for each set of outer relations that gives a value to the first column of a key. */
static void add_parameterized_paths(PlannerInfo *root, RelOptInfo *rel, const struct relation_plan *plan) {
  const struct catalogue_relation *relation = plan->table->relation;
  List *seen = NIL;
  ListCell *cell, *other;

  for (int i = 0; i < relation->nkeys; i++) {
    foreach (cell, join_clauses_of(root, rel, plan->table, relation->keys[i].column[0])) {
      RestrictInfo *clause = lfirst(cell);
      Relids outer = bms_union(clause->clause_relids, rel->lateral_relids);
      bool known = false;

      outer = bms_del_member(outer, (int)rel->relid);
      if (bms_is_empty(outer)) continue;
      foreach (other, seen) known |= bms_equal(lfirst(other), outer);
      if (known) continue;
      seen = lappend(seen, outer);
      add_parameterized_path(root, rel, plan, outer);
    }
  }
}

void plan_paths(PlannerInfo *root, RelOptInfo *rel, Oid oid) {
  struct relation_plan *plan = rel->fdw_private;
  Cost startup, total;

  total = scan_cost(plan, rel->rows, equal_columns(rel, plan->table, rel->baserestrictinfo), &startup);
  add_path(rel,
           (Path *)compat_foreign_path(root, rel, rel->rows, startup, total, NIL, rel->lateral_relids, NIL));
  add_sorted_path(root, rel, plan, startup, total);
  add_parameterized_paths(root, rel, plan);
}

/* Attribute numbers that the targets and local clauses need. */
static List *needed_attributes(RelOptInfo *rel, const struct table_definition *table, List *local) {
  Bitmapset *used = NULL;
  List *attributes = NIL;
  bool whole_row;

  pull_varattnos((Node *)rel->reltarget->exprs, rel->relid, &used);
  pull_varattnos((Node *)local, rel->relid, &used);
  whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
  for (AttrNumber attribute = 1; attribute <= table->natts; attribute++)
    if (table->column_of[attribute] >= 0 &&
        (whole_row || bms_is_member(attribute - FirstLowInvalidHeapAttributeNumber, used)))
      attributes = lappend_int(attributes, attribute);
  return attributes;
}

ForeignScan *plan_scan(PlannerInfo *root, RelOptInfo *rel, Oid oid, ForeignPath *path, List *targets,
                       List *clauses, Plan *outer) {
  const struct relation_plan *plan = rel->fdw_private;
  List *remote = NIL, *local = NIL;
  ListCell *cell;

  foreach (cell, clauses) {
    RestrictInfo *clause = lfirst_node(RestrictInfo, cell);
    struct qual *qual;

    if (clause->pseudoconstant) continue;
    qual = qual_compile(clause->clause, rel->relid, plan->table);
    if (qual != NULL) remote = lappend(remote, clause->clause);
    if (qual == NULL || qual->lossy) local = lappend(local, clause->clause);
  }
  return make_foreignscan(targets, local, rel->relid, NIL,
                          list_make2(needed_attributes(rel, plan->table, local), path->fdw_private), NIL,
                          remote, outer);
}
