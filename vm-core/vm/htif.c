#include "vm/htif.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mmu/dma.h"

enum { SYS_WRITE = 64, SYS_EXIT = 93, WRITE_MAX = 1 << 20 };

static void answer(struct htif *htif, uint64_t value) {
  uint64_t zero = 0;
  dma_write(htif->hart, htif->tohost, &zero, sizeof zero);
  if (htif->fromhost) dma_write(htif->hart, htif->fromhost, &value, sizeof value);
}

static void finish(struct htif *htif, uint64_t code) {
  htif->exited = true;
  htif->exit_code = code;
  hart_request_stop(htif->hart, STOP_HTIF);
}

static uint64_t guest_write(struct htif *htif, uint64_t fd, uint64_t gpa, uint64_t length) {
  if (fd != 1 && fd != 2) return (uint64_t)-EBADF;
  if (length > WRITE_MAX) length = WRITE_MAX;
  if (!phys_in_ram(htif->phys, gpa, length)) return (uint64_t)-EFAULT;
  for (uint64_t done = 0; done < length;) {
    uint8_t bytes[4096];
    uint64_t part = length - done < sizeof bytes ? length - done : sizeof bytes;
    dma_read(htif->hart, gpa + done, bytes, part);
    fwrite(bytes, 1, part, fd == 1 ? stdout : stderr);
    done += part;
  }
  return length;
}

/* The record holds number, then arguments; word 0 becomes the result. */
static void system_call(struct htif *htif, uint64_t record) {
  uint64_t words[8], result = (uint64_t)-ENOSYS;
  if (!dma_read(htif->hart, record, words, sizeof words)) {
    finish(htif, UINT64_MAX);
    return;
  }
  if (words[0] == SYS_WRITE) result = guest_write(htif, words[1], words[2], words[3]);
  if (words[0] == SYS_EXIT) finish(htif, words[1]);
  dma_write(htif->hart, record, &result, sizeof result);
  answer(htif, 1);
}

static void request(struct htif *htif, uint64_t value) {
  uint64_t device = value >> 56, command = value >> 48 & 0xff;
  if (device == 0 && (value & 1)) {
    finish(htif, value >> 1);
  } else if (device == 0) {
    system_call(htif, value & (BIT(48) - 1));
  } else if (device == 1 && command == 1) {
    putchar((int)(value & 0xff));
    answer(htif, UINT64_C(0x0101) << 48);
  } else {
    answer(htif, 0);
  }
}

static void watch_store(void *opaque, uint64_t gpa, unsigned size) {
  struct htif *htif = opaque;
  uint64_t value;
  if (htif->exited || gpa >= htif->tohost + 8 || gpa + size <= htif->tohost) return;
  memcpy(&value, htif->phys->ram + (htif->tohost - htif->phys->ram_base), sizeof value);
  if (value) request(htif, value);
}

bool htif_attach(struct htif *htif, struct hart *hart, struct phys *phys, uint64_t tohost,
                 uint64_t fromhost) {
  if ((tohost & 7) || !phys_in_ram(phys, tohost, 8)) return false;
  if (fromhost && ((fromhost & 7) || !phys_in_ram(phys, fromhost, 8))) return false;
  *htif = (struct htif){.hart = hart, .phys = phys, .tohost = tohost, .fromhost = fromhost};
  phys->hooks.watch_store = watch_store;
  phys->hooks.opaque = htif;
  phys->page_state[phys_page(phys, tohost)] |= PHYS_WATCHED;
  return true;
}
