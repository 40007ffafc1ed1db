/* Guest RAM and the view area in huge pages of the host. What is shared between processes gets none by itself
 * on most hosts (shmem_enabled is "never"), and then the guest's TLB misses, first stores to pages and
 * pre-images cost more. A thread asks for one wherever half of one is in use (madvise(2),
 * MADV_COLLAPSE, Linux 6.1); a host that refuses stays as it is. Nothing of it reaches the guest. */
#ifndef VM_HUGE_PAGES_H
#define VM_HUGE_PAGES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#ifndef MADV_COLLAPSE /* headers older than Linux 6.1 */
#define MADV_COLLAPSE 25
#endif

enum { HUGE_BYTES = 2 << 20, HUGE_PARTS = 2 };

struct huge_part {
  uint8_t *at;
  uint64_t count; /* whole huge pages */
  uint8_t *tries; /* by number of the huge page: failed so far; HUGE_SETTLED: it is one */
};
enum { HUGE_SETTLED = UINT8_MAX };

struct huge_pages {
  struct huge_part parts[HUGE_PARTS];
  uint64_t next;    /* where the thread looks next, counted through the parts */
  unsigned refused; /* in a row */
  pthread_t thread;
  pthread_mutex_t lock; /* of ends */
  pthread_cond_t wake;
  bool started, ends;
};

/* Map a file shared, readable and writable, where its huge pages can be huge pages of the process; MAP_FAILED
 * with errno. munmap ends it. */
void *huge_map(int fd, size_t size);

/* Parts made by huge_map that stay mapped until huge_pages_stop; count 0: none. Without memory or a thread
 * nothing is done. Before the system calls are filtered. */
void huge_pages_start(struct huge_pages *huge, const struct huge_part parts[HUGE_PARTS]);
void huge_pages_stop(struct huge_pages *huge);

#endif
