/* IMPORT FOREIGN SCHEMA linux, and ANALYZE of foreign tables. */
#ifndef LINUXSQL_IMPORT_H
#define LINUXSQL_IMPORT_H

#include "postgres.h"

#include "foreign/fdwapi.h"

extern List *import_schema(ImportForeignSchemaStmt *statement, Oid server);
/* analyze.c */
extern bool analyze_table(Relation table, AcquireSampleRowsFunc *function, BlockNumber *pages);

#endif /* LINUXSQL_IMPORT_H */
