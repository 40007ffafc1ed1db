#include "src/quals.h"

#include "access/stratnum.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "src/compat.h"

/* pg_opfamily rows without a symbol of their own */
#define FAMILY_DATETIME      434
#define FAMILY_FLOAT         1970
#define FAMILY_TEXT_PATTERN  2095 /* text_pattern_ops: ~<~ and the like */
#define OPERATOR_STARTS_WITH 3877 /* text ^@ text */

struct compiler {
  Index varno;
  const struct table_definition *table;
};

static struct qual *compile(Expr *expression, const struct compiler *with);

static struct qual *make_qual(enum qual_tag tag) {
  struct qual *qual = palloc0(sizeof *qual);

  qual->tag = tag;
  return qual;
}

/* The catalogue column behind `node`, or -1. */
static int column_behind(Node *node, const struct compiler *with) {
  Var *var;

  while (node != NULL && IsA(node, RelabelType) && ((RelabelType *)node)->resulttype != BPCHAROID)
    node = (Node *)((RelabelType *)node)->arg;
  if (node == NULL || !IsA(node, Var)) return -1;
  var = (Var *)node;
  if (var->varno != (int)with->varno || var->varlevelsup != 0 || var->varattno < 1 ||
      var->varattno > with->table->natts)
    return -1;
  return with->table->column_of[var->varattno];
}

struct var_search {
  Index varno;
};

static bool mentions_relation(Node *node, struct var_search *search) {
  if (node == NULL) return false;
  if (IsA(node, Var)) return ((Var *)node)->varno == (int)search->varno && ((Var *)node)->varlevelsup == 0;
  if (IsA(node, SubPlan) || IsA(node, SubLink) || IsA(node, AlternativeSubPlan) || IsA(node, CurrentOfExpr))
    return true;
  return expression_tree_walker(node, mentions_relation, search);
}

/* Constant during one scan: no column of this relation, no subplan, nothing volatile. */
static bool is_value(Node *node, const struct compiler *with) {
  struct var_search search = {with->varno};

  return !mentions_relation(node, &search) && !contain_volatile_functions(node);
}

static const enum qual_operator operator_of_strategy[] = {
    [BTLessStrategyNumber] = QUAL_OPERATOR_LT,    [BTLessEqualStrategyNumber] = QUAL_OPERATOR_LE,
    [BTEqualStrategyNumber] = QUAL_OPERATOR_EQ,   [BTGreaterEqualStrategyNumber] = QUAL_OPERATOR_GE,
    [BTGreaterStrategyNumber] = QUAL_OPERATOR_GT,
};

static const Oid families[] = {INTEGER_BTREE_FAM_OID, FAMILY_FLOAT,    TEXT_BTREE_FAM_OID,
                               BOOL_BTREE_FAM_OID,    FAMILY_DATETIME, FAMILY_TEXT_PATTERN};

static bool types_fit(Oid family, Oid left, Oid right) {
  if (family == FAMILY_DATETIME) return left == TIMESTAMPTZOID && right == TIMESTAMPTZOID;
  return true;
}

/* What `opno` means between the types it takes, under `collation`; false when the service has no such
 * operator. */
static bool understand_operator(Oid opno, Oid collation, enum qual_operator *operator) {
  Oid left, right;

  op_input_types(opno, &left, &right);
  for (size_t i = 0; i < lengthof(families); i++) {
    Oid family = families[i], negator;
    int strategy = get_op_opfamily_strategy(opno, family);

    if (strategy == 0) {
      negator = get_negator(opno);
      if (!OidIsValid(negator) || get_op_opfamily_strategy(negator, family) != BTEqualStrategyNumber)
        continue;
      *operator= QUAL_OPERATOR_NE;
    } else {
      *operator= operator_of_strategy[strategy];
    }
    if (!types_fit(family, left, right)) return false;
    if (family != TEXT_BTREE_FAM_OID) return true;
    if (left != TEXTOID || right != TEXTOID) return false;
    if (!OidIsValid(collation) || !get_collation_isdeterministic(collation)) return false;
    return *operator== QUAL_OPERATOR_EQ || * operator== QUAL_OPERATOR_NE || compat_collation_is_c(collation);
  }
  return false;
}

static struct qual *make_compare(int column, enum qual_operator operator, Expr * value,
                                 const struct compiler *with) {
  struct qual *qual = make_qual(QUAL_TAG_COMPARE);

  qual->column = (uint16_t)column;
  qual->type = with->table->relation->columns[column].type;
  qual->operator= operator;
  qual->value = value;
  qual->value_type = exprType((Node *)value);
  return qual;
}

static struct qual *compile_like(int column, OpExpr *clause, const struct compiler *with) {
  Expr *pattern = lsecond(clause->args);
  bool is_like = clause->opno == OID_TEXT_LIKE_OP;
  struct qual *qual;

  if (!OidIsValid(clause->inputcollid) || !get_collation_isdeterministic(clause->inputcollid)) return NULL;
  if (exprType((Node *)pattern) != TEXTOID) return NULL;
  qual = make_compare(column, QUAL_OPERATOR_EQ, pattern, with);
  qual->tag = QUAL_TAG_PREFIX;
  qual->pattern = is_like;
  qual->lossy = is_like;
  if (is_like && IsA(pattern, Const) && !((Const *)pattern)->constisnull) {
    text *constant = DatumGetTextPP(((Const *)pattern)->constvalue);
    enum pattern_kind kind;
    size_t length;

    (void)qual_like_prefix(VARDATA_ANY(constant), VARSIZE_ANY_EXHDR(constant), &length, &kind);
    if (kind == PATTERN_OTHER && length == 0) return NULL;
    qual->lossy = kind == PATTERN_OTHER;
  }
  return qual;
}

static struct qual *compile_operator(OpExpr *clause, const struct compiler *with) {
  Node *left, *right;
  enum qual_operator operator;
  Oid opno = clause->opno;
  int column;

  if (list_length(clause->args) != 2) return NULL;
  left = linitial(clause->args);
  right = lsecond(clause->args);
  column = column_behind(left, with);
  if (column < 0) {
    Node *other = left;

    column = column_behind(right, with);
    opno = get_commutator(opno);
    if (column < 0 || !OidIsValid(opno)) return NULL;
    left = right;
    right = other;
  } else if ((opno == OID_TEXT_LIKE_OP || opno == OPERATOR_STARTS_WITH) && is_value(right, with)) {
    return compile_like(column, clause, with);
  }
  if (!is_value(right, with) || !understand_operator(opno, clause->inputcollid, &operator)) return NULL;
  return make_compare(column, operator,(Expr *) right, with);
}

static struct qual *compile_array(ScalarArrayOpExpr *clause, const struct compiler *with) {
  Node *array = lsecond(clause->args);
  int column = column_behind(linitial(clause->args), with);
  enum qual_operator operator;
  struct qual *qual;

  if (column < 0 || !is_value(array, with)) return NULL;
  if (!understand_operator(clause->opno, clause->inputcollid, &operator)) return NULL;
  qual = make_compare(column, operator,(Expr *) array, with);
  qual->tag = QUAL_TAG_IN;
  qual->value_type = get_element_type(qual->value_type);
  qual->all = !clause->useOr;
  return OidIsValid(qual->value_type) ? qual : NULL;
}

/* AND drops what the service cannot do (lossy); OR must be able to do every arm. */
static struct qual *compile_bool(BoolExpr *clause, const struct compiler *with) {
  struct qual *qual;
  ListCell *cell;

  if (clause->boolop == NOT_EXPR) {
    int column = column_behind(linitial(clause->args), with);

    if (column < 0) return NULL;
    return make_compare(column, QUAL_OPERATOR_EQ, (Expr *)makeBoolConst(false, false), with);
  }
  qual = make_qual(clause->boolop == AND_EXPR ? QUAL_TAG_AND : QUAL_TAG_OR);
  foreach (cell, clause->args) {
    struct qual *child = compile(lfirst(cell), with);

    if (child == NULL && clause->boolop == OR_EXPR) return NULL;
    if (child == NULL || child->lossy) qual->lossy = true;
    if (child != NULL) qual->children = lappend(qual->children, child);
  }
  return qual->children == NIL ? NULL : qual;
}

static struct qual *compile_null_test(NullTest *clause, const struct compiler *with) {
  int column = column_behind((Node *)clause->arg, with);
  struct qual *qual;

  if (column < 0 || clause->argisrow) return NULL;
  qual = make_qual(clause->nulltesttype == IS_NULL ? QUAL_TAG_IS_NULL : QUAL_TAG_IS_NOT_NULL);
  qual->column = (uint16_t)column;
  return qual;
}

/* Without NOT above it, null and false are the same to a row: IS TRUE is "= true". */
static struct qual *compile_boolean_test(BooleanTest *clause, const struct compiler *with) {
  int column = column_behind((Node *)clause->arg, with);
  struct qual *qual, *is_null;
  bool value = clause->booltesttype == IS_TRUE || clause->booltesttype == IS_NOT_FALSE;

  if (column < 0) return NULL;
  is_null = make_qual(clause->booltesttype == IS_NOT_UNKNOWN ? QUAL_TAG_IS_NOT_NULL : QUAL_TAG_IS_NULL);
  is_null->column = (uint16_t)column;
  if (clause->booltesttype == IS_UNKNOWN || clause->booltesttype == IS_NOT_UNKNOWN) return is_null;
  qual = make_compare(column, QUAL_OPERATOR_EQ, (Expr *)makeBoolConst(value, false), with);
  if (clause->booltesttype == IS_NOT_TRUE || clause->booltesttype == IS_NOT_FALSE) {
    struct qual *either = make_qual(QUAL_TAG_OR);

    either->children = list_make2(qual, is_null);
    return either;
  }
  return qual;
}

static struct qual *compile(Expr *expression, const struct compiler *with) {
  int column;

  switch (nodeTag(expression)) {
  case T_OpExpr: return compile_operator((OpExpr *)expression, with);
  case T_ScalarArrayOpExpr: return compile_array((ScalarArrayOpExpr *)expression, with);
  case T_BoolExpr: return compile_bool((BoolExpr *)expression, with);
  case T_NullTest: return compile_null_test((NullTest *)expression, with);
  case T_BooleanTest: return compile_boolean_test((BooleanTest *)expression, with);
  case T_Var:
    column = column_behind((Node *)expression, with);
    if (column < 0 || ((Var *)expression)->vartype != BOOLOID) return NULL;
    return make_compare(column, QUAL_OPERATOR_EQ, (Expr *)makeBoolConst(true, false), with);
  default: return NULL;
  }
}

static int depth_of(const struct qual *qual) {
  int deepest = qual->tag == QUAL_TAG_IN ? 1 : 0;
  ListCell *cell;

  foreach (cell, qual->children) deepest = Max(deepest, depth_of(lfirst(cell)));
  return deepest + 1;
}

struct qual *qual_compile(Expr *expression, Index varno, const struct table_definition *table) {
  struct compiler with = {varno, table};
  struct qual *qual = compile(expression, &with);

  /* one level is the conjunction of all clauses */
  if (qual != NULL && depth_of(qual) >= WIRE_MAX_QUAL_DEPTH) return NULL;
  return qual;
}

Bitmapset *qual_equal_columns(const struct qual *qual) {
  Bitmapset *columns = NULL;
  ListCell *cell;

  if (qual->tag == QUAL_TAG_COMPARE && qual->operator== QUAL_OPERATOR_EQ)
    return bms_make_singleton(qual->column);
  if (qual->tag == QUAL_TAG_IN && !qual->all && qual->operator== QUAL_OPERATOR_EQ)
    return bms_make_singleton(qual->column);
  if (qual->tag != QUAL_TAG_AND) return NULL;
  foreach (cell, qual->children) columns = bms_join(columns, qual_equal_columns(lfirst(cell)));
  return columns;
}
