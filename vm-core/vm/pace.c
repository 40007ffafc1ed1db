#include "vm/pace.h"

#include <time.h>

uint64_t host_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct timespec host_timespec(uint64_t host_ns) {
  return (struct timespec){(time_t)(host_ns / 1000000000), (long)(host_ns % 1000000000)};
}

void pace_start(struct pace *pace, uint64_t guest_ns) { *pace = (struct pace){host_now_ns(), guest_ns}; }

uint64_t pace_deadline(struct pace *pace, uint64_t guest_now_ns, uint64_t guest_ns) {
  uint64_t host = host_now_ns() - pace->host_base, guest = guest_now_ns - pace->guest_base;
  if (guest > host) pace->host_base -= guest - host;
  if (host > guest && host - guest > PACE_DEBT_NS) pace->host_base += host - guest - PACE_DEBT_NS;
  return pace->host_base + (guest_ns - pace->guest_base);
}
