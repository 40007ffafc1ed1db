#include "src/supervisor.h"

#include <sys/stat.h>
#include <unistd.h>

#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/varlena.h"
#include "src/option.h"
#include "src/process.h"
#include "src/worker.h"

#define TICK_MS    1000
#define COLLECT_MS 20
/* Where guests and who looks at them want more processors than there are, guests come first: they get three
 * quarters of one that is shared. Not more, since a view takes up memory for as long as it is open. */
#define INTROSPECT_NICE 5

/* What one look at linuxsql.machine says. */
struct wish {
  char *machine;
  bool paused;
};

struct supervisor {
  MemoryContext context;
  struct process introspect;
  List *machines; /* struct process * */
  List *wishes;   /* struct wish *, of the last look */
};

static struct supervisor supervisor;

static void name_process(struct process *process, const char *name) {
  MemoryContext caller = MemoryContextSwitchTo(supervisor.context);

  memset(process, 0, sizeof *process);
  process->name = pstrdup(name);
  process->folder = option_run_folder();
  MemoryContextSwitchTo(caller);
}

static char *quote_shell(const char *text) {
  StringInfoData quoted;

  initStringInfo(&quoted);
  appendStringInfoChar(&quoted, '\'');
  for (; *text != '\0'; text++) {
    if (*text == '\'')
      appendStringInfoString(&quoted, "'\\''");
    else
      appendStringInfoChar(&quoted, *text);
  }
  appendStringInfoChar(&quoted, '\'');
  return quoted.data;
}

static void make_folders(void) {
  char *folder = option_run_folder();

  (void)mkdir(folder, 0700);
  (void)mkdir(psprintf("%s/vm", folder), 0700);
}

/* First socket folder and the port of this server: where its own daemons connect. */
static char *own_conninfo(void) {
  char *folders = pstrdup(GetConfigOption("unix_socket_directories", false, false));
  List *list = NIL;
  StringInfoData conninfo;

  if (option_conninfo[0] != '\0') return pstrdup(option_conninfo);
  initStringInfo(&conninfo);
  if (SplitDirectoriesString(folders, ',', &list) && list != NIL)
    appendStringInfo(&conninfo, "host=%s ", (char *)linitial(list));
  appendStringInfo(&conninfo, "port=%d user=%s dbname=%s", PostPortNumber,
                   GetUserNameFromId(GetUserId(), false), get_database_name(MyDatabaseId));
  return conninfo.data;
}

/* With the program and the connection it replays machines with. */
static void start_introspect(void *argument) {
  char *replays = option_vm_path[0] == '\0'
                      ? ""
                      : psprintf(" --vm-program %s --conninfo %s", quote_shell(option_vm_path),
                                 quote_shell(own_conninfo()));
  char *words = psprintf("exec %s --run-dir %s%s", option_introspect_command,
                         quote_shell(option_run_folder()), replays);
  char *argv[] = {"/bin/sh", "-c", words, NULL};

  process_start(&supervisor.introspect, argv);
}

static void watch_introspect(void) {
  if (option_introspect_command[0] == '\0') return;
  if (process_look(&supervisor.introspect) || !process_may_start(&supervisor.introspect)) return;
  worker_transaction("starting introspect", start_introspect, NULL);
}

static struct process *machine_process(const char *machine) {
  char *name = psprintf("vm-%s", machine);
  ListCell *cell;
  struct process *process;

  foreach (cell, supervisor.machines)
    if (strcmp(((struct process *)lfirst(cell))->name, name) == 0) return lfirst(cell);
  process = MemoryContextAlloc(supervisor.context, sizeof *process);
  name_process(process, name);
  {
    MemoryContext caller = MemoryContextSwitchTo(supervisor.context);

    supervisor.machines = lappend(supervisor.machines, process);
    MemoryContextSwitchTo(caller);
  }
  return process;
}

/* A daemon that ended well was told to, or its guest powered off: it is not wanted any more. False if
 * vm_start, which clears `ended`, has been called since. */
static bool settle(const char *machine) {
  Oid types[] = {TEXTOID};
  Datum values[] = {CStringGetTextDatum(machine)};

  SPI_execute_with_args("update linuxsql.machine set desired = 'stopped' "
                        "where name = $1 and desired <> 'stopped' and ended is not null",
                        1, types, values, NULL, false, 0);
  return SPI_processed > 0;
}

static void start_machine(struct process *process, const struct wish *wish) {
  char *argv[] = {option_vm_path,
                  "--db",
                  own_conninfo(),
                  "--machine",
                  wish->machine,
                  "--control",
                  option_machine_socket(wish->machine),
                  wish->paused ? "--paused" : NULL,
                  NULL};

  process_start(process, argv);
}

/* Machines that shall run and that nobody is stopping. */
static void read_wishes(void) {
  bool present;

  supervisor.wishes = NIL;
  SPI_execute("select pg_catalog.to_regclass('linuxsql.machine') is not null", true, 1);
  present = SPI_processed == 1 && SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1)[0] == 't';
  if (!present || option_vm_path[0] == '\0') return;
  SPI_execute(psprintf("select name, desired from linuxsql.machine where desired <> 'stopped' and "
                       "pg_catalog.pg_try_advisory_xact_lock(%d, (id & 2147483647)::integer)",
                       SUPERVISOR_STOP_CLASS),
              false, 0);
  for (uint64 i = 0; i < SPI_processed; i++) {
    HeapTuple row = SPI_tuptable->vals[i];
    struct wish *wish = palloc(sizeof *wish);

    wish->machine = SPI_getvalue(row, SPI_tuptable->tupdesc, 1);
    wish->paused = strcmp(SPI_getvalue(row, SPI_tuptable->tupdesc, 2), "paused") == 0;
    supervisor.wishes = lappend(supervisor.wishes, wish);
  }
}

static bool lock_is_free(const char *machine) {
  Oid types[] = {TEXTOID};
  Datum values[] = {CStringGetTextDatum(machine)};
  bool isnull;

  return SPI_execute_with_args("select pg_catalog.pg_try_advisory_xact_lock(linuxsql.machine_lock_key(id)) "
                               "from linuxsql.machine where name = $1",
                               1, types, values, NULL, false, 1) == SPI_OK_SELECT &&
         SPI_processed == 1 &&
         DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

static void choose(List **chosen, const struct wish *wish) {
  MemoryContext caller = MemoryContextSwitchTo(supervisor.context);
  struct wish *copy = palloc(sizeof *copy);

  copy->machine = pstrdup(wish->machine);
  copy->paused = wish->paused;
  *chosen = lappend(*chosen, copy);
  MemoryContextSwitchTo(caller);
}

static bool is_wished(const struct process *process) {
  ListCell *cell;

  foreach (cell, supervisor.wishes)
    if (machine_process(((struct wish *)lfirst(cell))->machine) == process) return true;
  return false;
}

/* The start itself comes after the commit, which frees the machine's lock for its daemon. */
static void choose_starts(void *argument) {
  ListCell *cell;

  read_wishes();
  foreach (cell, supervisor.wishes) {
    struct wish *wish = lfirst(cell);
    struct process *process = machine_process(wish->machine);

    if (process_look(process)) continue;
    if (!(process->ended_well && settle(wish->machine)) && process_may_start(process) &&
        lock_is_free(wish->machine))
      choose(argument, wish);
    process->ended_well = false;
  }
  foreach (cell, supervisor.machines) {
    struct process *process = lfirst(cell);

    if (is_wished(process)) continue;
    (void)process_look(process);
    process->ended_well = false;
  }
}

static void start_chosen(void *argument) {
  List *chosen = argument;
  ListCell *cell;

  foreach (cell, chosen) {
    struct wish *wish = lfirst(cell);

    start_machine(machine_process(wish->machine), wish);
    pfree(wish->machine);
  }
  list_free_deep(chosen);
}

static void autostart(void *argument) {
  SPI_execute("select pg_catalog.to_regclass('linuxsql.machine') is not null", true, 1);
  if (SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1)[0] == 't')
    SPI_execute("update linuxsql.machine set desired = 'running' where autostart and desired = 'stopped'",
                false, 0);
}

/* One piece of what was deleted; *argument: there may be more. */
static void collect_garbage(void *argument) {
  bool *more = argument, isnull;

  SPI_execute("select pg_catalog.to_regclass('linuxsql.garbage') is not null", true, 1);
  if (SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1)[0] != 't') return;
  SPI_execute("select exists (select from linuxsql.garbage) and linuxsql.collect_garbage()", false, 1);
  *more = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

static void stop_introspect(int code, Datum argument) { process_terminate(&supervisor.introspect); }

void linuxsql_supervisor_main(Datum argument) {
  MemoryContext loop;

  worker_begin(argument, WORKER_SUPERVISOR);
  supervisor.context = AllocSetContextCreate(TopMemoryContext, "linuxsql supervisor", ALLOCSET_DEFAULT_SIZES);
  loop = AllocSetContextCreate(TopMemoryContext, "linuxsql supervisor loop", ALLOCSET_DEFAULT_SIZES);
  MemoryContextSwitchTo(loop);
  make_folders();
  name_process(&supervisor.introspect, "introspect");
  supervisor.introspect.nice = INTROSPECT_NICE;
  before_shmem_exit(stop_introspect, (Datum)0);
  worker_transaction("starting machines", autostart, NULL);
  for (;;) {
    List *chosen = NIL;
    bool more = false;

    watch_introspect();
    if (worker_transaction("looking after machines", choose_starts, &chosen) && chosen != NIL)
      worker_transaction("starting machines", start_chosen, chosen);
    worker_transaction("giving back what was deleted", collect_garbage, &more);
    MemoryContextReset(loop);
    worker_wait(more ? COLLECT_MS : TICK_MS);
  }
}
