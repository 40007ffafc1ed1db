/* Machines take part in transactions: what control functions change inside a transaction block is undone by a
 * rollback (docs/design.md, "Transactions"). */
#ifndef LINUXSQL_TRANSACTION_H
#define LINUXSQL_TRANSACTION_H

#include "postgres.h"

#include "access/xact.h"
#include "src/client.h"

/* A connection on which `machine` may be changed: in a transaction block the one that will keep or undo it,
 * else one of the caller's own. Give it back with transaction_release. Raises 0A000 where an undo could not
 * be honoured. */
extern struct client *transaction_connect(const char *machine);
extern void transaction_release(struct client *client);

/* The callbacks of handler.c. before_commit may raise. */
extern void transaction_before_commit(void);
extern void transaction_before_prepare(void);
extern void transaction_forget(void);

#endif /* LINUXSQL_TRANSACTION_H */
