#include "src/transaction.h"

#include "src/control.h"
#include "src/option.h"

/* The machine this transaction has changed. One: two daemons could not commit as one. */
static struct client *open_client;
static char open_machine[NAMEDATALEN];

static bool takes_part(void) { return option_transactional && IsTransactionBlock(); }

static void check_nesting(void) {
  if (GetCurrentTransactionNestLevel() > 1)
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("a machine cannot be changed after a savepoint or under an exception handler"),
                    errdetail("Only a whole transaction's changes of a machine can be undone."),
                    errhint("Change it outside, or set linuxsql.transactional to off: changes then stay.")));
}

struct client *transaction_connect(const char *machine) {
  struct client *client;

  if (!takes_part()) return control_connect(machine, false);
  check_nesting();
  if (open_client != NULL && strcmp(open_machine, machine) != 0)
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("this transaction has changed machine \"%s\" already", open_machine),
                    errdetail("One transaction can change one machine.")));
  if (open_client != NULL) {
    if (!client_is_open(open_client))
      ereport(ERROR, (errcode(ERRCODE_CONNECTION_FAILURE),
                      errmsg("the connection to machine \"%s\" was lost in this transaction", machine)));
    return open_client;
  }
  client = control_connect(machine, false);
  (void)client_call(client, FRAME_TYPE_VM_BEGIN, NULL, 0, FRAME_TYPE_DONE);
  client->lasting = true;
  open_client = client;
  snprintf(open_machine, sizeof open_machine, "%s", machine);
  return client;
}

void transaction_release(struct client *client) {
  if (client != open_client) client_discard(client);
}

void transaction_before_commit(void) {
  if (open_client == NULL) return;
  (void)client_call(open_client, FRAME_TYPE_VM_COMMIT, NULL, 0, FRAME_TYPE_DONE);
}

void transaction_before_prepare(void) {
  if (open_client != NULL)
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("a transaction that has changed machine \"%s\" cannot be prepared", open_machine)));
}

/* The connection's end undoes what was not committed; the daemon hears nobody else before it has. */
void transaction_forget(void) { open_client = NULL; }
