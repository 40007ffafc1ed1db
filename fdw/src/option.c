#include "src/option.h"

#include <dirent.h>
#include <sys/un.h>

#include "access/reloptions.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"

char *option_run_directory;
char *option_machine;
char *option_as_of;
char *option_database;
char *option_vm_path;
char *option_introspect_command;
char *option_conninfo;
bool option_transactional = true;
int option_connect_timeout;
int option_start_timeout;

bool option_machine_name_is_valid(const char *name) {
  size_t length = strlen(name);

  if (length < 1 || length > 63 || name[0] < 'a' || name[0] > 'z') return false;
  return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length;
}

static bool check_machine(char **value, void **extra, GucSource source) {
  if (**value == '\0' || option_machine_name_is_valid(*value)) return true;
  GUC_check_errdetail("A machine's name matches [a-z][a-z0-9_-]{0,62}.");
  return false;
}

static size_t digits(const char *text) { return strspn(text, "0123456789"); }

bool option_instant_is_valid(const char *text) {
  size_t first = digits(text), second;

  if (first < 1 || first > 18) return false;
  if (text[first] == '\0') return true;
  second = text[first] == ':' ? digits(text + first + 1) : 0;
  return second >= 1 && second <= 18 && text[first + 1 + second] == '\0';
}

static const char instant_detail[] = "An instant is a number of instructions, or BOOT:NUMBER.";

static bool check_as_of(char **value, void **extra, GucSource source) {
  if (**value == '\0' || option_instant_is_valid(*value)) return true;
  GUC_check_errdetail("%s", instant_detail);
  return false;
}

struct text_setting {
  const char *name;
  const char *doc;
  char **variable;
  const char *initial;
  GucContext context;
  GucStringCheckHook check;
};

void option_define_settings(void) {
  const struct text_setting settings[] = {
      {"linuxsql.run_directory", "Folder of the sockets; empty: linuxsql in the data directory.",
       &option_run_directory, "", PGC_SUSET, NULL},
      {"linuxsql.machine", "Current machine; empty: the only one there is.", &option_machine, "", PGC_USERSET,
       check_machine},
      {"linuxsql.as_of", "Instant that foreign tables show, in instructions since boot; empty: the present.",
       &option_as_of, "", PGC_USERSET, check_as_of},
      {"linuxsql.database", "Database whose machines the supervisor starts and watches.", &option_database,
       "linuxsql", PGC_SIGHUP, NULL},
      {"linuxsql.vm_path", "Program linuxsql-vm; empty: machines are started by hand.", &option_vm_path, "",
       PGC_SIGHUP, NULL},
      {"linuxsql.introspect_command", "Shell words that start introspect; empty: it is started by hand.",
       &option_introspect_command, "", PGC_SIGHUP, NULL},
      {"linuxsql.conninfo", "How machines connect to this server; empty: through its Unix socket.",
       &option_conninfo, "", PGC_SIGHUP, NULL},
  };

  for (size_t i = 0; i < lengthof(settings); i++)
    DefineCustomStringVariable(settings[i].name, settings[i].doc, NULL, settings[i].variable,
                               settings[i].initial, settings[i].context, 0, settings[i].check, NULL, NULL);
  DefineCustomBoolVariable("linuxsql.transactional",
                           "In a transaction block, a rollback undoes what was done to a machine.", NULL,
                           &option_transactional, true, PGC_USERSET, 0, NULL, NULL, NULL);
  DefineCustomIntVariable("linuxsql.connect_timeout", "Longest wait for the service to accept and greet.",
                          NULL, &option_connect_timeout, 5000, 1, 600000, PGC_USERSET, GUC_UNIT_MS, NULL,
                          NULL, NULL);
  DefineCustomIntVariable("linuxsql.start_timeout", "Longest wait for a starting machine to answer.", NULL,
                          &option_start_timeout, 30000, 1, 600000, PGC_USERSET, GUC_UNIT_MS, NULL, NULL,
                          NULL);
  MarkGUCPrefixReserved("linuxsql");
}

char *option_run_folder(void) {
  return option_run_directory[0] ? pstrdup(option_run_directory) : psprintf("%s/linuxsql", DataDir);
}

char *option_service_socket(void) { return psprintf("%s/introspect.sock", option_run_folder()); }

char *option_machine_socket(const char *machine) {
  return psprintf("%s/vm/%s.sock", option_run_folder(), machine);
}

/* Names with a control socket: their number, and the first one. */
static int machines_with_socket(char **first) {
  char *folder = psprintf("%s/vm", option_run_folder());
  DIR *directory = AllocateDir(folder);
  struct dirent *entry;
  int count = 0;

  if (directory == NULL) return 0;
  while ((entry = ReadDirExtended(directory, folder, DEBUG1)) != NULL) {
    size_t length = strlen(entry->d_name);
    char *name;

    if (length <= 5 || strcmp(entry->d_name + length - 5, ".sock") != 0) continue;
    name = pnstrdup(entry->d_name, length - 5);
    if (option_machine_name_is_valid(name) && count++ == 0) *first = name;
  }
  FreeDir(directory);
  return count;
}

static int machines_in_catalogue(char **first) {
  MemoryContext caller = CurrentMemoryContext;
  int count = 0;

  SPI_connect();
  if (SPI_execute("select pg_catalog.to_regclass('linuxsql.machine') is not null and "
                  "pg_catalog.has_table_privilege('linuxsql.machine', 'select')",
                  true, 1) == SPI_OK_SELECT &&
      SPI_processed == 1) {
    char *visible = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);

    if (visible != NULL && visible[0] == 't' &&
        SPI_execute("select name from linuxsql.machine limit 2", true, 2) == SPI_OK_SELECT) {
      count = (int)SPI_processed;
      if (count > 0)
        *first = MemoryContextStrdup(caller, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
    }
  }
  SPI_finish();
  return count;
}

char *option_resolve_machine(const char *given) {
  char *name = NULL;
  int count;

  if (given == NULL || given[0] == '\0') given = option_machine;
  if (given[0] != '\0') {
    if (!option_machine_name_is_valid(given))
      ereport(ERROR,
              (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"%s\" is not a machine's name", given),
               errdetail("A machine's name matches [a-z][a-z0-9_-]{0,62}.")));
    return pstrdup(given);
  }
  count = machines_with_socket(&name);
  if (count == 0) count = machines_in_catalogue(&name);
  if (count == 0)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("there is no machine"),
                    errhint("Create one with vm_create, and start it with vm_start.")));
  if (count > 1)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("there are several machines"),
                    errhint("Choose one with: set linuxsql.machine = 'name'.")));
  return name;
}

char *option_resolve_source(const char *machine, const char *as_of) {
  char *name = option_resolve_machine(machine);

  if (as_of == NULL || as_of[0] == '\0') as_of = option_as_of;
  return as_of[0] != '\0' ? psprintf("%s@%s", name, as_of) : name;
}

struct option_rule {
  const char *name;
  Oid catalogue;
  bool privileged; /* names a file of the server */
};

static const struct option_rule rules[] = {
    {"machine", ForeignServerRelationId, false}, {"as_of", ForeignServerRelationId, false},
    {"socket", ForeignServerRelationId, true},   {"relation", ForeignTableRelationId, false},
    {"column", AttributeRelationId, false},
};

static const struct option_rule *find_rule(const char *name, Oid catalogue) {
  for (size_t i = 0; i < lengthof(rules); i++)
    if (rules[i].catalogue == catalogue && strcmp(rules[i].name, name) == 0) return &rules[i];
  return NULL;
}

static void check_option(DefElem *option, Oid catalogue) {
  const struct option_rule *rule = find_rule(option->defname, catalogue);

  if (rule == NULL) {
    StringInfoData valid;

    initStringInfo(&valid);
    for (size_t i = 0; i < lengthof(rules); i++)
      if (rules[i].catalogue == catalogue)
        appendStringInfo(&valid, "%s%s", valid.len ? ", " : "", rules[i].name);
    ereport(ERROR,
            (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("invalid option \"%s\"", option->defname),
             valid.len ? errhint("Valid options here: %s.", valid.data)
                       : errhint("There are no valid options here.")));
  }
  if (rule->privileged) {
    const char *path = defGetString(option);

    if (!superuser() && !has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
      ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                      errmsg("only superusers and members of pg_read_server_files may set option \"%s\"",
                             option->defname)));
    if (!is_absolute_path(path) || strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
      ereport(ERROR,
              (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
               errmsg("option \"%s\" must be an absolute path of at most 107 bytes", option->defname)));
  }
  if (strcmp(rule->name, "as_of") == 0 && !option_instant_is_valid(defGetString(option)))
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("\"%s\" is not an instant", defGetString(option)), errdetail("%s", instant_detail)));
  if (strcmp(rule->name, "machine") == 0 && !option_machine_name_is_valid(defGetString(option)))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("\"%s\" is not a machine's name", defGetString(option)),
                    errdetail("A machine's name matches [a-z][a-z0-9_-]{0,62}.")));
}

PG_FUNCTION_INFO_V1(linuxsql_validator);
Datum linuxsql_validator(PG_FUNCTION_ARGS) {
  List *options = untransformRelOptions(PG_GETARG_DATUM(0));
  Oid catalogue = PG_GETARG_OID(1);
  ListCell *cell;

  foreach (cell, options) check_option(lfirst_node(DefElem, cell), catalogue);
  PG_RETURN_VOID();
}
