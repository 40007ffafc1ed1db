/* Consistent views of a machine for readers of its memory: who asked for which, and when they end. Control
 * thread. vm/runner.h fixes their instants, vm/preimage.h keeps what the guest overwrites meanwhile. */
#ifndef VM_VIEW_H
#define VM_VIEW_H

#include "vm/runner.h"

enum view_state { VIEW_FREE, VIEW_WANTED, VIEW_OPEN, VIEW_EXPIRED };

struct view {
  enum view_state state;
  uint64_t id, opened_ns;
  unsigned client;  /* who asked */
  uint64_t request; /* its request number */
};

struct views {
  struct runner *runner;
  uint64_t last_id, timeout_ns;
  struct view slots[VIEW_SLOTS]; /* the index is the view's place */
};

void views_init(struct views *views, struct runner *runner, uint64_t timeout_s);

/* Ask for a view. NULL: too many. */
struct view *view_want(struct views *views, unsigned client, uint64_t request);

/* What the view fixed, once it is open. */
const struct view_cut *view_cut(const struct views *views, const struct view *view);
unsigned view_place(const struct views *views, const struct view *view);

/* A wanted view whose instant is fixed now (it becomes open), or NULL. Call until NULL. */
struct view *view_ready(struct views *views);

/* The client's view with this id, or NULL. */
struct view *view_find(struct views *views, unsigned client, uint64_t id);
/* The client's view still wanted by this request, or NULL. */
struct view *view_wanted(struct views *views, unsigned client, uint64_t request);
/* How it ends: in order, or it had ended before. */
enum view_end { VIEW_ENDED, VIEW_TOO_OLD, VIEW_LOST };
enum view_end view_close(struct views *views, struct view *view);
void views_close_client(struct views *views, unsigned client);

/* Close views older than the limit; they stay in the table as expired until their client lets go. Returns the
 * ns until the next one is due, or UINT64_MAX. */
uint64_t views_expire(struct views *views);

#endif
