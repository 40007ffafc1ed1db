#include "dev/rtc.h"

#include <string.h>

enum {
  TIME_LOW = 0x00,
  TIME_HIGH = 0x04,
  ALARM_LOW = 0x08,
  ALARM_HIGH = 0x0c,
  IRQ_ENABLED = 0x10,
  CLEAR_ALARM = 0x14,
  ALARM_STATUS = 0x18,
  CLEAR_INTERRUPT = 0x1c,
};

static uint64_t now(const struct rtc *rtc) { return hart_time_ns(rtc->hart) + rtc->state.offset_ns; }

static void update_irq(struct rtc *rtc) {
  plic_set_line(rtc->plic, rtc->irq, rtc->state.irq_pending && rtc->state.irq_enabled);
}

static void fire(void *opaque) {
  struct rtc *rtc = opaque;
  rtc->state.alarm_armed = 0;
  rtc->state.irq_pending = 1;
  update_irq(rtc);
}

static void schedule(struct rtc *rtc) {
  event_cancel(rtc->hart, &rtc->alarm_event);
  if (!rtc->state.alarm_armed) return;
  int64_t left = (int64_t)(rtc->state.alarm_ns - now(rtc));
  if (left <= 0)
    fire(rtc);
  else
    event_schedule(rtc->hart, &rtc->alarm_event, hart_time_ns(rtc->hart) + (uint64_t)left);
}

static bool rtc_read(void *opaque, uint64_t offset, unsigned size, uint64_t *value) {
  struct rtc *rtc = opaque;
  if (size != 4) return false;
  switch (offset) {
  case TIME_LOW: {
    uint64_t time = now(rtc);
    rtc->state.time_high = (uint32_t)(time >> 32);
    *value = (uint32_t)time;
    return true;
  }
  case TIME_HIGH: *value = rtc->state.time_high; return true;
  case ALARM_LOW: *value = (uint32_t)rtc->state.alarm_ns; return true;
  case ALARM_HIGH: *value = rtc->state.alarm_ns >> 32; return true;
  case IRQ_ENABLED: *value = rtc->state.irq_enabled; return true;
  case ALARM_STATUS: *value = rtc->state.alarm_armed; return true;
  default: *value = 0; return true;
  }
}

static bool rtc_write(void *opaque, uint64_t offset, unsigned size, uint64_t value) {
  struct rtc *rtc = opaque;
  if (size != 4) return false;
  value = (uint32_t)value;
  switch (offset) {
  case TIME_LOW:
    rtc->state.offset_ns = ((uint64_t)rtc->state.set_high << 32 | value) - hart_time_ns(rtc->hart);
    schedule(rtc);
    return true;
  case TIME_HIGH: rtc->state.set_high = (uint32_t)value; return true;
  case ALARM_LOW:
    rtc->state.alarm_ns = (uint64_t)rtc->state.alarm_high << 32 | value;
    rtc->state.alarm_armed = 1;
    schedule(rtc);
    return true;
  case ALARM_HIGH: rtc->state.alarm_high = (uint32_t)value; return true;
  case IRQ_ENABLED: rtc->state.irq_enabled = value & 1; break;
  case CLEAR_ALARM:
    rtc->state.alarm_armed = 0;
    schedule(rtc);
    return true;
  case CLEAR_INTERRUPT: rtc->state.irq_pending = 0; break;
  default: return true;
  }
  update_irq(rtc);
  return true;
}

static const struct mmio_ops rtc_ops = {rtc_read, rtc_write};

static void rtc_reset(void *opaque) {
  struct rtc *rtc = opaque;
  event_cancel(rtc->hart, &rtc->alarm_event);
  memset(&rtc->state, 0, sizeof rtc->state);
  rtc->state.offset_ns = rtc->base_ns;
  update_irq(rtc);
}

static bool rtc_load(void *opaque, struct blob_reader *in) {
  struct rtc *rtc = opaque;
  (void)in;
  if (rtc->state.alarm_armed > 1 || rtc->state.irq_enabled > 1 || rtc->state.irq_pending > 1) return false;
  if (rtc->state.alarm_armed)
    event_schedule(rtc->hart, &rtc->alarm_event, rtc->state.alarm_ns - rtc->state.offset_ns);
  return true;
}

bool rtc_init(struct rtc *rtc, struct bus *bus, struct plic *plic, unsigned irq, uint64_t base,
              uint64_t size) {
  memset(rtc, 0, sizeof *rtc);
  rtc->hart = bus->hart;
  rtc->plic = plic;
  rtc->irq = irq;
  rtc->alarm_event = (struct event){.rank = RANK_RTC, .fire = fire, .opaque = rtc};
  return bus_add(bus, &(struct device){.name = "rtc",
                                       .base = base,
                                       .size = size,
                                       .ops = &rtc_ops,
                                       .opaque = rtc,
                                       .state = &rtc->state,
                                       .state_size = sizeof rtc->state,
                                       .reset = rtc_reset,
                                       .load = rtc_load});
}
