/* One scan of a relation: OPEN, DATA..., DONE, and how often it may begin anew.
 *
 * Used by the executor callbacks (scan_node.c) and by ANALYZE. The bytes of a batch belong to the scan;
 * Datums made of them are valid until the next call of scan_next or scan_stop. */
#ifndef LINUXSQL_SCAN_H
#define LINUXSQL_SCAN_H

#include "postgres.h"

#include "src/catalog.h"
#include "src/client.h"
#include "src/view.h"

struct scan_statistics {
  uint64_t rows;      /* received */
  uint64_t rows_sent; /* as the service counts, of scans that ran to their end */
  uint64_t rows_examined;
  uint64_t elapsed_ns;
};

struct scan {
  const struct catalogue_relation *relation;
  char *machine;
  char *path;
  uint64_t statement; /* serial, from view_statement() */
  bool private_view;  /* the statement has no other scan: the service may open a view for this one alone */
  int ncolumns;       /* asked for; catalogue columns in `columns`, their places in the slot in `places` */
  const int16 *columns;
  const int16 *places;
  const uint64_t *never_null; /* bitmap over the asked columns */
  StringInfoData request;     /* OPEN's payload after the credit, from limit on */
  struct client *client;
  struct request *open;
  struct view *view;
  struct frame *batch;
  char *row, *batch_end;
  uint32_t rows_left;
  uint32_t consumed; /* batches since credit was granted */
  bool finished;
  struct scan_statistics statistics;
};

/* Starts the scan whose `request` was filled; called by scan_next too. Waits for a view and a connection. */
extern void scan_open(struct scan *scan);
/* Next row: fills values and isnull at the asked columns' places. False at the end. */
extern bool scan_next(struct scan *scan, Datum *values, bool *isnull);
/* Takes a DONE that has arrived already, for the statistics. */
extern void scan_settle(struct scan *scan);
/* Back to before scan_open. Never waits, raises nothing; safe in memory context callbacks. `keep_view`: for a
 * rescan. */
extern void scan_stop(struct scan *scan, bool keep_view);

/* datum.c: the row at scan->row into Datums, in place. Raises 08P01 after closing the connection. */
extern void scan_decode_row(struct scan *scan, Datum *values, bool *isnull);

#endif /* LINUXSQL_SCAN_H */
