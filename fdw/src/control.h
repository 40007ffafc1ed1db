/* Conversations with linuxsql-vm over its control socket (docs/protocol.md, "Control"). */
#ifndef LINUXSQL_CONTROL_H
#define LINUXSQL_CONTROL_H

#include "postgres.h"

#include "src/client.h"

struct machine_status {
  enum machine_state state;
  uint32_t stop_reason;
  uint64_t instret, pc, time_ns, host_run_ns, ram_bytes, hz, generation;
  char *machine;
};

/* Connects to the daemon of `machine`. Absent: waits up to linuxsql.start_timeout if the supervisor is to run
 * it, otherwise 08001 with a hint; NULL with `missing_ok`. Discard it with client_discard. */
extern struct client *control_connect(const char *machine, bool missing_ok);
/* The same, but NULL when none answers and the supervisor is to run none. */
extern struct client *control_connect_unless_stopped(const char *machine);
/* A request that VM_STATE answers. */
extern struct machine_status control_state(struct client *client, uint8_t type, const char *payload,
                                           size_t length);
extern const char *control_state_name(enum machine_state state);

/* `condition` in hart words: sym:, proc: and syscall: ask introspect. *met: it holds already. palloc'd. */
extern char *control_resolve(const char *machine, const char *condition, bool *met);

/* 55006 if a scan of this session reads the machine at one instant: what is asked would not show in it. */
extern void control_refuse_held(const char *machine);

#endif /* LINUXSQL_CONTROL_H */
