/* How a session gets its links, loses them, and gives up. Private to store/, I/O thread (start-up: the
 * opener). */
#ifndef STORE_RECONNECT_H
#define STORE_RECONNECT_H

#include "store/disk.h"

/* Open what is not open, prepare the statements, enter the pipelines. False: write.error says why. */
bool session_start_links(struct session *session);

/* The write link open and in plain mode, and on it the lock under the same fence. False: write.error says
 * why; a session of ours that the server has not yet buried may still hold the lock. */
bool session_retake(struct session *session);

/* A link failed: close both, and come back with both open and the machine still ours, or with the session
 * failed, or (while closing) past its deadline. Blocks, looking after closing. */
void session_reconnect(struct session *session);

/* The session is over: end every request with -ESHUTDOWN. */
void session_fail_requests(struct session *session);

#endif
