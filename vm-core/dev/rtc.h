/* Goldfish real-time clock (Linux drivers/rtc/rtc-goldfish.c): nanoseconds since 1970 and one alarm.
 * The clock is base_ns plus guest time, so it too is a function of retired instructions. Hart thread. */
#ifndef DEV_RTC_H
#define DEV_RTC_H

#include "dev/bus.h"
#include "dev/plic.h"

struct rtc {
  struct hart *hart;
  struct plic *plic;
  unsigned irq;
  uint64_t base_ns; /* wall clock at guest time 0, set before a reset */
  struct event alarm_event;
  struct {
    uint64_t offset_ns; /* wall clock − guest time, moved when the guest sets the clock */
    uint64_t alarm_ns;
    uint32_t time_high, set_high, alarm_high; /* latches of 64-bit accesses in halves */
    uint32_t alarm_armed, irq_enabled, irq_pending;
  } state;
};

bool rtc_init(struct rtc *rtc, struct bus *bus, struct plic *plic, unsigned irq, uint64_t base,
              uint64_t size);

#endif
