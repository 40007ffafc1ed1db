/* Instants of a machine that several scans share (VIEW_OPEN).
 *
 * READ COMMITTED: one per outermost statement and machine, closed when the last scan of it ends. REPEATABLE
 * READ and SERIALIZABLE: one per transaction and machine. A view is closed even when the statement ends by an
 * error, and a view that cannot be closed at once costs the connection, which closes it too. */
#ifndef LINUXSQL_VIEW_H
#define LINUXSQL_VIEW_H

#include "postgres.h"

#include "lib/ilist.h"
#include "src/client.h"

struct view {
  dlist_node node;
  struct client *client;
  uint64_t incarnation; /* of the connection it lives on */
  uint64_t id;
  uint64_t statement; /* serial of the outermost statement */
  bool transaction;   /* held until the transaction ends */
  bool seen;          /* a row of it was returned */
  int users;
  char machine[128]; /* with the instant, if it is not now */
};

/* Serial of the outermost statement, for scans that begin now. */
extern uint64_t view_statement(void);
/* The view for a scan of statement `serial`, opened if need be; counts one user. NULL: connection lost. */
extern struct view *view_acquire(struct client *client, const char *machine, uint64_t serial);
/* One user less. Raises nothing. */
extern void view_release(struct view *view);
/* Is there a view of the statement or transaction to share? Then a scan may not open its own. */
extern bool view_is_shared(struct client *client, const char *machine, uint64_t serial);
/* Does this session hold a view of `machine`? What the machine does meanwhile does not show in it. */
extern bool view_is_held(const char *machine);

extern void view_initialize(void);
extern void view_end_of_transaction(void);

#endif /* LINUXSQL_VIEW_H */
