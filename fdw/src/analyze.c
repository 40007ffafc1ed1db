/* ANALYZE: a full scan, of which a uniform sample is kept (Vitter's algorithm R); declared in import.h. */
#include "src/import.h"

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/sampling.h"
#include "src/option.h"
#include "src/scan_node.h"

static void prepare(struct scan *scan, const struct table_definition *table) {
  int16 *columns = palloc((size_t)(table->natts + 1) * sizeof *columns),
        *places = palloc((size_t)(table->natts + 1) * sizeof *places);
  uint64_t *never_null = palloc0((size_t)(table->natts / 64 + 1) * sizeof *never_null);

  for (AttrNumber attribute = 1; attribute <= table->natts; attribute++) {
    if (table->column_of[attribute] < 0) continue;
    columns[scan->ncolumns] = table->column_of[attribute];
    places[scan->ncolumns++] = (int16)(attribute - 1);
  }
  scan->relation = table->relation;
  scan->path = scan_node_socket(table);
  scan->machine = option_resolve_source(table->machine, table->as_of);
  scan->private_view = true;
  scan->columns = columns;
  scan->places = places;
  scan->never_null = never_null;
  initStringInfo(&scan->request);
  wire_put_u64(&scan->request, (uint64_t)-1);
  wire_put_u16(&scan->request, (uint16_t)scan->ncolumns);
  for (int i = 0; i < scan->ncolumns; i++) wire_put_u16(&scan->request, (uint16_t)columns[i]);
  wire_put_u16(&scan->request, 0);
  wire_put_u8(&scan->request, QUAL_TAG_TRUE);
}

/* Where the row number `seen` (from 1) goes in a sample of `size`: an index, or -1. */
static int choose_place(double seen, int kept, int size, ReservoirState sampler) {
  double place;

  if (kept < size) return kept;
  place = seen * sampler_random_fract(&sampler->randstate);
  return place < size ? (int)place : -1;
}

static int sample_rows(Relation relation, int level, HeapTuple *rows, int size, double *total, double *dead) {
  TupleDesc columns = RelationGetDescr(relation);
  Datum *values = palloc0((size_t)columns->natts * sizeof *values);
  bool *isnull = palloc((size_t)columns->natts * sizeof *isnull);
  struct scan *scan = palloc0(sizeof *scan);
  ReservoirStateData sampler;
  volatile int kept = 0;

  prepare(scan, catalog_table(RelationGetRelid(relation)));
  reservoir_init_selection_state(&sampler, size);
  memset(isnull, true, (size_t)columns->natts * sizeof *isnull);
  *dead = 0;
  PG_TRY();
  {
    while (scan_next(scan, values, isnull)) {
      int place = choose_place((double)scan->statistics.rows, kept, size, &sampler);

      CHECK_FOR_INTERRUPTS();
      if (place < 0) continue;
      if (place < kept)
        heap_freetuple(rows[place]);
      else
        kept++;
      rows[place] = heap_form_tuple(columns, values, isnull);
    }
  }
  PG_FINALLY();
  { scan_stop(scan, false); }
  PG_END_TRY();
  *total = (double)scan->statistics.rows;
  ereport(level,
          (errmsg("\"%s\": %.0f rows, %d rows in sample", RelationGetRelationName(relation), *total, kept)));
  return kept;
}

bool analyze_table(Relation table, AcquireSampleRowsFunc *function, BlockNumber *pages) {
  const struct table_definition *definition = catalog_table(RelationGetRelid(table));

  *function = sample_rows;
  *pages = (BlockNumber)(catalog_estimated_rows(definition) * 100 / BLCKSZ) + 1;
  return true;
}
