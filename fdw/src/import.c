#include "src/import.h"

#include "foreign/foreign.h"
#include "utils/builtins.h"
#include "src/catalog.h"

static bool is_wanted(const ImportForeignSchemaStmt *statement, const char *name) {
  bool listed = false;
  ListCell *cell;

  foreach (cell, statement->table_list) listed |= strcmp(((RangeVar *)lfirst(cell))->relname, name) == 0;
  switch (statement->list_type) {
  case FDW_IMPORT_SCHEMA_ALL: return true;
  case FDW_IMPORT_SCHEMA_LIMIT_TO: return listed;
  case FDW_IMPORT_SCHEMA_EXCEPT: return !listed;
  }
  return true;
}

static char *create_command(const struct catalogue_relation *relation, const char *server) {
  StringInfoData command;

  initStringInfo(&command);
  appendStringInfo(&command, "create foreign table %s (", quote_identifier(relation->name));
  for (int i = 0; i < relation->ncolumns; i++)
    appendStringInfo(&command, "%s%s %s%s", i > 0 ? ", " : "", quote_identifier(relation->columns[i].name),
                     catalog_column_type_name(relation->columns[i].type),
                     relation->columns[i].nullable ? "" : " not null");
  appendStringInfo(&command, ") server %s options (relation %s)", quote_identifier(server),
                   quote_literal_cstr(relation->name));
  return command.data;
}

List *import_schema(ImportForeignSchemaStmt *statement, Oid server) {
  const char *name = GetForeignServer(server)->servername;
  const struct catalogue_relation *relation;
  List *commands = NIL;

  if (strcmp(statement->remote_schema, "linux") != 0)
    ereport(ERROR, (errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
                    errmsg("a machine has no schema \"%s\"", statement->remote_schema),
                    errhint("IMPORT FOREIGN SCHEMA linux FROM SERVER %s INTO …", quote_identifier(name))));
  if (statement->options != NIL)
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
                    errmsg("invalid option \"%s\"", ((DefElem *)linitial(statement->options))->defname),
                    errhint("IMPORT FOREIGN SCHEMA takes no options here.")));
  for (int i = 0; (relation = catalog_relation(i)) != NULL; i++)
    if (is_wanted(statement, relation->name)) commands = lappend(commands, create_command(relation, name));
  return commands;
}
