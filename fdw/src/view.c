#include "src/view.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "utils/memutils.h"
#include "src/error.h"

static dlist_head views = DLIST_STATIC_INIT(views);
static uint64_t statement; /* serial of the outermost statement that started last */
static int running;        /* executors on the stack */
static ExecutorStart_hook_type previous_start;
static ExecutorRun_hook_type previous_run;

static bool is_alive(const struct view *view) {
  return client_is_open(view->client) && view->client->incarnation == view->incarnation;
}

static void discard(struct view *view) {
  dlist_delete(&view->node);
  view->client->pins--;
  if (is_alive(view)) client_post(view->client, FRAME_TYPE_VIEW_CLOSE, (char *)&view->id, sizeof view->id);
  pfree(view);
}

static struct view *find_shared(struct client *client, const char *machine, uint64_t serial) {
  dlist_iter iter;

  dlist_foreach(iter, &views) {
    struct view *view = dlist_container(struct view, node, iter.cur);

    if (view->client == client && strcmp(view->machine, machine) == 0 &&
        (view->transaction || view->statement == serial) && (view->seen || is_alive(view)))
      return view;
  }
  return NULL;
}

bool view_is_shared(struct client *client, const char *machine, uint64_t serial) {
  return IsolationUsesXactSnapshot() || find_shared(client, machine, serial) != NULL;
}

uint64_t view_statement(void) { return statement; }

bool view_is_held(const char *machine) {
  dlist_iter iter;

  dlist_foreach(iter, &views) {
    struct view *view = dlist_container(struct view, node, iter.cur);

    if (strcmp(view->machine, machine) == 0 && is_alive(view)) return true;
  }
  return false;
}

/* Asks for a view. False: connection lost. */
static bool open_view(struct client *client, const char *machine, uint64_t *id) {
  StringInfoData payload;
  struct answer answer;
  struct wire_reader reader;

  initStringInfo(&payload);
  wire_put_cstring(&payload, machine);
  answer = client_ask(client, REQUEST_VIEW_OPEN, FRAME_TYPE_VIEW_OPEN, payload.data, (size_t)payload.len);
  if (answer.type == 0) return false;
  reader = (struct wire_reader){answer.payload, answer.payload + answer.length, false};
  *id = wire_take_uint64_t(&reader);
  (void)wire_take_uint64_t(&reader);
  (void)wire_take_uint64_t(&reader);
  if (answer.type != FRAME_TYPE_VIEW || reader.bad || reader.at != reader.end || *id == 0)
    client_protocol_error(client, "the answer to VIEW_OPEN is malformed");
  return true;
}

struct view *view_acquire(struct client *client, const char *machine, uint64_t serial) {
  struct view *view = find_shared(client, machine, serial);
  uint64_t id;

  if (view != NULL) {
    if (!is_alive(view)) error_lost(client->path, client->who);
    view->users++;
    return view;
  }
  if (!open_view(client, machine, &id)) return NULL;
  view = MemoryContextAllocZero(TopMemoryContext, sizeof *view);
  view->client = client;
  view->incarnation = client->incarnation;
  view->id = id;
  view->statement = serial;
  view->transaction = IsolationUsesXactSnapshot();
  view->users = 1;
  snprintf(view->machine, sizeof view->machine, "%s", machine);
  dlist_push_tail(&views, &view->node);
  client->pins++;
  return view;
}

void view_release(struct view *view) {
  if (--view->users == 0 && (!view->transaction || !is_alive(view))) discard(view);
}

void view_end_of_transaction(void) {
  dlist_mutable_iter iter;

  dlist_foreach_modify(iter, &views) {
    struct view *view = dlist_container(struct view, node, iter.cur);

    if (view->users == 0)
      discard(view);
    else
      view->transaction = false; /* its scans are about to end */
  }
}

static void start(QueryDesc *query, int flags) {
  if (running == 0) statement++;
  if (previous_start != NULL)
    previous_start(query, flags);
  else
    standard_ExecutorStart(query, flags);
}

#if PG_VERSION_NUM >= 180000
#define RUN_PARAMETERS QueryDesc *query, ScanDirection direction, uint64 count
#define RUN_ARGUMENTS  query, direction, count
#else
#define RUN_PARAMETERS QueryDesc *query, ScanDirection direction, uint64 count, bool execute_once
#define RUN_ARGUMENTS  query, direction, count, execute_once
#endif

static void run(RUN_PARAMETERS) {
  running++;
  PG_TRY();
  {
    if (previous_run != NULL)
      previous_run(RUN_ARGUMENTS);
    else
      standard_ExecutorRun(RUN_ARGUMENTS);
  }
  PG_FINALLY();
  { running--; }
  PG_END_TRY();
}

void view_initialize(void) {
  previous_start = ExecutorStart_hook;
  ExecutorStart_hook = start;
  previous_run = ExecutorRun_hook;
  ExecutorRun_hook = run;
}
