/* The compiled catalogue, and foreign tables matched against it.
 *
 * A definition is cached per backend until the table, its server or the catalogue rows behind them change;
 * stale ones stay readable until the transaction ends. A foreign table whose columns do not match raises
 * HV021 or HV007. */
#ifndef LINUXSQL_CATALOG_H
#define LINUXSQL_CATALOG_H

#include "postgres.h"

#include "nodes/parsenodes.h"
#include "utils/rel.h"

#include "gen/relations.h"

struct table_definition {
  Oid table;
  const struct catalogue_relation *relation;
  uint16_t relation_number;
  const char *machine; /* NULL: the current machine */
  const char *as_of;   /* NULL: linuxsql.as_of, or now */
  const char *socket;  /* NULL: that of the run folder */
  AttrNumber natts;
  int16 column_of[FLEXIBLE_ARRAY_MEMBER]; /* by attribute number; -1 dropped; [0] unused */
};

extern const struct catalogue_relation *catalog_relation(int number); /* NULL past the last */
extern const struct catalogue_relation *catalog_find_relation(const char *name, uint16_t *number);
extern const struct table_definition *catalog_table(Oid table);
extern Oid catalog_column_type_oid(enum column_type type);
extern const char *catalog_column_type_name(enum column_type type);

/* Estimates the service gave (SCHEMA answers), cached per socket and machine. */
extern double catalog_estimated_rows(const struct table_definition *table);
struct client;
/* Asks the service for its estimates, without waiting for the answer, if they are missing or old. */
extern void catalog_refresh_estimates(struct client *client, const char *machine);

extern void catalog_initialize(void);
extern void catalog_end_of_transaction(void);

#endif /* LINUXSQL_CATALOG_H */
