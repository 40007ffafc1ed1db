/* Which quals the service can apply, and their encoding (docs/protocol.md, "Qual tree").
 *
 * A compiled qual holds value expressions; it is encoded anew for every scan, when parameters are known. Text
 * is compared bytewise by the service, so < and > go there only under the C collation or the ~<~ operators, =
 * and LIKE only under deterministic collations. */
#ifndef LINUXSQL_QUALS_H
#define LINUXSQL_QUALS_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "nodes/primnodes.h"
#include "src/catalog.h"
#include "src/wire.h"

struct qual {
  enum qual_tag tag;
  bool lossy; /* passes rows the SQL expression does not: keep a local check */
  uint16_t column;
  enum column_type type;       /* of the column */
  enum qual_operator operator; /* COMPARE */
  bool all;                    /* IN over any operator: ALL instead of ANY */
  bool pattern;                /* PREFIX: `value` is a LIKE pattern */
  Expr *value;                 /* NULL for nodes without one */
  Oid value_type;              /* of `value`, of its elements for IN */
  ExprState *state;            /* set by qual_prepare */
  List *children;              /* struct qual *, for AND and OR */
};

/* The service's version of `expression` over range table entry `varno` of `table`; NULL when it has none. */
extern struct qual *qual_compile(Expr *expression, Index varno, const struct table_definition *table);
/* Columns compared for equality in every row that passes: a bit per catalogue column. */
extern Bitmapset *qual_equal_columns(const struct qual *qual);
/* ExecInitExpr for every value. */
extern void qual_prepare(struct qual *qual, PlanState *parent);
/* Appends the conjunction of `quals`. False, and nothing but TRUE appended, if it exceeds the protocol's
 * limits. */
extern bool qual_encode(List *quals, ExprContext *context, StringInfo out);

/* quals_value.c: one value of SQL type `type`, or NULL, as a protocol value. */
extern void qual_put_value(StringInfo out, Oid type, Datum value, bool isnull);
/* quals_value.c: literal prefix of a LIKE pattern (palloc'd; backslash escapes); *kind says what follows it.
 */
enum pattern_kind { PATTERN_EXACT, PATTERN_PREFIX, PATTERN_OTHER };
extern char *qual_like_prefix(const char *pattern, size_t length, size_t *prefix_length,
                              enum pattern_kind *kind);

#endif /* LINUXSQL_QUALS_H */
