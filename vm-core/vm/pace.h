/* Keeps the guest's clock from running ahead of the host's while the guest idles. Hart thread.
 *
 * Guest time advances one ns an instruction, slower than the host's clock while the guest is busy; idle time
 * then catches up without waiting, up to PACE_DEBT_NS. Once level, idle time takes as long as on the host. */
#ifndef VM_PACE_H
#define VM_PACE_H

#include <stdint.h>
#include <time.h>

#define PACE_DEBT_NS UINT64_C(2000000000)

struct pace {
  uint64_t host_base, guest_base;
};

uint64_t host_now_ns(void); /* CLOCK_MONOTONIC */
/* A host instant as the system takes it. */
struct timespec host_timespec(uint64_t host_ns);

/* Guest and host are level now. */
void pace_start(struct pace *pace, uint64_t guest_ns);

/* Host instant (host_now_ns) at which guest time may be `guest_ns`; forgets lag beyond PACE_DEBT_NS, and any
 * lead (steps jump over idle time). */
uint64_t pace_deadline(struct pace *pace, uint64_t guest_now_ns, uint64_t guest_ns);

#endif
