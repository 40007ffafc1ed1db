#include "src/catalog.h"

#include "access/table.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "src/compat.h"

struct cache_entry {
  Oid table;
  MemoryContext context; /* holds the definition; NULL: none */
  const struct table_definition *definition;
};

static HTAB *cache;
static MemoryContext stale; /* parent of definitions that were replaced in this transaction */

const struct catalogue_relation *catalog_relation(int number) {
  return number < CATALOGUE_RELATION_COUNT ? &catalogue_relations[number] : NULL;
}

const struct catalogue_relation *catalog_find_relation(const char *name, uint16_t *number) {
  for (int i = 0; i < CATALOGUE_RELATION_COUNT; i++) {
    if (strcmp(catalogue_relations[i].name, name) != 0) continue;
    if (number != NULL) *number = (uint16_t)i;
    return &catalogue_relations[i];
  }
  return NULL;
}

Oid catalog_column_type_oid(enum column_type type) {
  switch (type) {
  case COLUMN_TYPE_BOOL: return BOOLOID;
  case COLUMN_TYPE_INT4: return INT4OID;
  case COLUMN_TYPE_INT8: return INT8OID;
  case COLUMN_TYPE_FLOAT8: return FLOAT8OID;
  case COLUMN_TYPE_TEXT: return TEXTOID;
  case COLUMN_TYPE_TIMESTAMPTZ: return TIMESTAMPTZOID;
  }
  return InvalidOid;
}

const char *catalog_column_type_name(enum column_type type) {
  switch (type) {
  case COLUMN_TYPE_BOOL: return "boolean";
  case COLUMN_TYPE_INT4: return "integer";
  case COLUMN_TYPE_INT8: return "bigint";
  case COLUMN_TYPE_FLOAT8: return "double precision";
  case COLUMN_TYPE_TEXT: return "text";
  case COLUMN_TYPE_TIMESTAMPTZ: return "timestamp with time zone";
  }
  return "unknown";
}

static const char *find_option(List *options, const char *name, const char *otherwise) {
  ListCell *cell;

  foreach (cell, options) {
    DefElem *option = lfirst_node(DefElem, cell);

    if (strcmp(option->defname, name) == 0) return defGetString(option);
  }
  return otherwise;
}

/* The catalogue column of an attribute; raises what does not match. */
static int16 match_column(Relation table, const struct catalogue_relation *relation,
                          Form_pg_attribute attribute) {
  const char *name = find_option(GetForeignColumnOptions(RelationGetRelid(table), attribute->attnum),
                                 "column", NameStr(attribute->attname));
  int guess = attribute->attnum - 1;

  if (guess >= relation->ncolumns || strcmp(relation->columns[guess].name, name) != 0)
    for (guess = 0; guess < relation->ncolumns; guess++)
      if (strcmp(relation->columns[guess].name, name) == 0) break;
  if (guess == relation->ncolumns)
    ereport(ERROR, (errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
                    errmsg("relation \"%s\" has no column \"%s\"", relation->name, name),
                    errdetail("Foreign table \"%s\" was defined for another version.",
                              RelationGetRelationName(table)),
                    errhint("Drop it and run IMPORT FOREIGN SCHEMA again.")));
  if (attribute->atttypid != catalog_column_type_oid(relation->columns[guess].type))
    ereport(ERROR,
            (errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
             errmsg("column \"%s\" of foreign table \"%s\" must be of type %s", name,
                    RelationGetRelationName(table), catalog_column_type_name(relation->columns[guess].type)),
             errhint("Drop the table and run IMPORT FOREIGN SCHEMA again.")));
  return (int16)guess;
}

static const struct table_definition *define(Oid oid) {
  Relation table = table_open(oid, NoLock);
  TupleDesc columns = RelationGetDescr(table);
  struct table_definition *definition =
      palloc0(offsetof(struct table_definition, column_of) + (columns->natts + 1) * sizeof(int16));
  ForeignTable *foreign = GetForeignTable(oid);
  ForeignServer *server = GetForeignServer(foreign->serverid);
  const char *name = find_option(foreign->options, "relation", RelationGetRelationName(table));

  definition->table = oid;
  definition->natts = (AttrNumber)columns->natts;
  definition->machine = find_option(server->options, "machine", NULL);
  definition->as_of = find_option(server->options, "as_of", NULL);
  definition->socket = find_option(server->options, "socket", NULL);
  definition->relation = catalog_find_relation(name, &definition->relation_number);
  if (definition->relation == NULL)
    ereport(ERROR, (errcode(ERRCODE_FDW_TABLE_NOT_FOUND), errmsg("there is no relation \"%s\"", name),
                    errhint("IMPORT FOREIGN SCHEMA linux defines all that there are.")));
  for (int i = 0; i < columns->natts; i++) {
    Form_pg_attribute attribute = TupleDescAttr(columns, i);

    definition->column_of[i + 1] =
        attribute->attisdropped ? -1 : match_column(table, definition->relation, attribute);
  }
  table_close(table, NoLock);
  return definition;
}

static void retire(struct cache_entry *entry) {
  if (entry->context != NULL) MemoryContextSetParent(entry->context, stale);
  entry->context = NULL;
  entry->definition = NULL;
}

const struct table_definition *catalog_table(Oid table) {
  bool found;
  struct cache_entry *entry = hash_search(cache, &table, HASH_ENTER, &found);
  MemoryContext context, caller;
  const struct table_definition *definition;

  if (!found) {
    entry->context = NULL;
    entry->definition = NULL;
  }
  if (entry->definition != NULL) return entry->definition;
  context = AllocSetContextCreate(CurrentMemoryContext, "linuxsql table", ALLOCSET_SMALL_SIZES);
  caller = MemoryContextSwitchTo(context);
  definition = define(table);
  MemoryContextSwitchTo(caller);
  /* define() may have processed invalidations: look again, and keep what is new now */
  entry = hash_search(cache, &table, HASH_ENTER, &found);
  if (found) retire(entry);
  MemoryContextSetParent(context, TopMemoryContext);
  entry->context = context;
  entry->definition = definition;
  return definition;
}

static void forget_all(void) {
  HASH_SEQ_STATUS scan;
  struct cache_entry *entry;

  hash_seq_init(&scan, cache);
  while ((entry = hash_seq_search(&scan)) != NULL) retire(entry);
}

static void relation_changed(Datum argument, Oid relation) {
  struct cache_entry *entry;

  if (relation == InvalidOid) {
    forget_all();
    return;
  }
  entry = hash_search(cache, &relation, HASH_FIND, NULL);
  if (entry != NULL) retire(entry);
}

static void catalogue_changed(Datum argument, int cacheid, uint32 hashvalue) { forget_all(); }

void catalog_initialize(void) {
  HASHCTL control = {.keysize = sizeof(Oid), .entrysize = sizeof(struct cache_entry)};

  cache = hash_create("linuxsql tables", 32, &control, HASH_ELEM | HASH_BLOBS);
  stale = AllocSetContextCreate(TopMemoryContext, "linuxsql stale tables", ALLOCSET_SMALL_SIZES);
  CacheRegisterRelcacheCallback(relation_changed, (Datum)0);
  CacheRegisterSyscacheCallback(FOREIGNTABLEREL, catalogue_changed, (Datum)0);
  CacheRegisterSyscacheCallback(FOREIGNSERVEROID, catalogue_changed, (Datum)0);
}

void catalog_end_of_transaction(void) { MemoryContextDeleteChildren(stale); }
