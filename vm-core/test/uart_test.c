/* 16550A, CLINT, clock and finisher as a driver sees them. */
#include "dev/clint.h"
#include "dev/rtc.h"
#include "dev/syscon.h"
#include "dev/uart.h"
#include "test/board_rig.h"

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR };

struct setup {
  struct board board;
  struct uart uart;
  struct clint clint;
  struct rtc rtc;
  struct syscon syscon;
  uint8_t sent[64];
  size_t sent_count;
};

static void output(void *opaque, enum console_device device, const uint8_t *bytes, size_t size) {
  struct setup *s = opaque;
  (void)device;
  for (size_t i = 0; i < size && s->sent_count < sizeof s->sent; i++) s->sent[s->sent_count++] = bytes[i];
}

static unsigned in(struct setup *s, unsigned reg) {
  return (unsigned)board_read(&s->board, BOARD_UART_BASE + reg, 1);
}
static void out(struct setup *s, unsigned reg, unsigned value) {
  board_write(&s->board, BOARD_UART_BASE + reg, 1, value);
}

static void test_transmit(struct setup *s) {
  struct rig *t = &s->board.rig;
  bus_reset(&s->board.bus);
  CHECK(t, in(s, LSR) == 0x60 && in(s, IIR) == 1, "idle line status and interrupt identification");
  out(s, RBR, 'A');
  CHECK(t, s->sent_count == 1 && s->sent[0] == 'A', "transmission");
  CHECK(t, !board_line(&s->board, BOARD_UART_IRQ), "interrupt without enable");
  out(s, IER, 2);
  CHECK(t, board_line(&s->board, BOARD_UART_IRQ), "no interrupt when the empty register is enabled");
  CHECK(t, in(s, IIR) == 2 && in(s, IIR) == 1, "reading IIR clears the THRE interrupt");
  CHECK(t, !board_line(&s->board, BOARD_UART_IRQ), "line still high");
  out(s, RBR, 'B');
  CHECK(t, board_line(&s->board, BOARD_UART_IRQ), "no interrupt after a transmission");
  out(s, LCR, 0x83);
  out(s, RBR, 12);
  out(s, IER, 34);
  CHECK(t, in(s, RBR) == 12 && in(s, IER) == 34, "divisor latch");
  out(s, LCR, 3);
  CHECK(t, in(s, IER) == 2 && s->sent_count == 2, "the latch leaked into other registers");
}

static void test_receive(struct setup *s) {
  struct rig *t = &s->board.rig;
  uint8_t bytes[5000];
  bus_reset(&s->board.bus);
  memset(bytes, 'x', sizeof bytes);
  out(s, IIR, 0xc1); /* FIFO on, trigger at 14 */
  CHECK(t, in(s, IIR) == 0xc1, "16550A identification");
  out(s, IER, 1);
  CHECK(t, uart_input(&s->uart, (const uint8_t *)"hey", 3) == 3, "input refused");
  CHECK(t, board_line(&s->board, BOARD_UART_IRQ) && in(s, IIR) == 0xcc,
        "time-out interrupt below the trigger");
  CHECK(t, in(s, LSR) & 1, "data ready");
  CHECK(t, in(s, RBR) == 'h' && in(s, RBR) == 'e' && in(s, RBR) == 'y', "bytes in order");
  CHECK(t, !(in(s, LSR) & 1) && !board_line(&s->board, BOARD_UART_IRQ), "drained");
  CHECK(t, uart_input(&s->uart, bytes, 14) == 14 && in(s, IIR) == 0xc4, "data interrupt at the trigger");
  out(s, IIR, 0xc3);
  CHECK(t, !(in(s, LSR) & 1), "FIFO clear");
  CHECK(t, uart_input(&s->uart, bytes, sizeof bytes) == UART_LINE_BYTES && uart_room(&s->uart) == 0,
        "line bound");
  for (unsigned i = 0; i < UART_LINE_BYTES; i++) in(s, RBR);
  CHECK(t, uart_room(&s->uart) == UART_LINE_BYTES && in(s, RBR) == 0, "line drained");
  size_t sent = s->sent_count;
  out(s, MCR, 0x1a);
  CHECK(t, in(s, MSR) == 0x90, "loopback modem lines");
  out(s, RBR, 'L');
  CHECK(t, in(s, RBR) == 'L' && s->sent_count == sent, "loopback data");
}

static void test_clint(struct setup *s) {
  struct rig *t = &s->board.rig;
  struct hart *hart = &t->hart;
  bus_reset(&s->board.bus);
  CHECK(t, !(hart_mip(hart) & BIT(IRQ_MTI)), "timer pending after reset");
  uint64_t now = board_read(&s->board, BOARD_CLINT_BASE + 0xbff8, 8);
  board_write(&s->board, BOARD_CLINT_BASE + 0x4000, 8, now + 10);
  board_pass(&s->board, (10 * NS_PER_TICK) - hart_time_ns(hart) % NS_PER_TICK - 1);
  CHECK(t, !(hart_mip(hart) & BIT(IRQ_MTI)), "timer early");
  board_pass(&s->board, 1);
  CHECK(t, hart_mip(hart) & BIT(IRQ_MTI), "timer late");
  board_write(&s->board, BOARD_CLINT_BASE + 0x4004, 4, 0xffffffff);
  CHECK(t, !(hart_mip(hart) & BIT(IRQ_MTI)), "half of mtimecmp");
  board_write(&s->board, BOARD_CLINT_BASE, 4, 1);
  CHECK(t, hart_mip(hart) & BIT(IRQ_MSI), "msip");
  board_write(&s->board, BOARD_CLINT_BASE, 4, 0);
  CHECK(t, !(hart_mip(hart) & BIT(IRQ_MSI)), "msip cleared");
}

static void test_rtc(struct setup *s) {
  struct rig *t = &s->board.rig;
  s->rtc.base_ns = UINT64_C(1767225600000000000);
  bus_reset(&s->board.bus);
  uint64_t before = hart_time_ns(&t->hart);
  uint64_t low = board_read(&s->board, BOARD_RTC_BASE, 4),
           high = board_read(&s->board, BOARD_RTC_BASE + 4, 4);
  CHECK(t, (high << 32 | low) == s->rtc.base_ns + before, "time");
  uint64_t alarm = (high << 32 | low) + 5000;
  board_write(&s->board, BOARD_RTC_BASE + 0x10, 4, 1);
  board_write(&s->board, BOARD_RTC_BASE + 0xc, 4, alarm >> 32);
  board_write(&s->board, BOARD_RTC_BASE + 8, 4, alarm & 0xffffffff);
  board_pass(&s->board, 4999);
  CHECK(t, !board_line(&s->board, BOARD_RTC_IRQ), "alarm early");
  board_pass(&s->board, 1);
  CHECK(t, board_line(&s->board, BOARD_RTC_IRQ), "alarm late");
  board_write(&s->board, BOARD_RTC_BASE + 0x1c, 4, 1);
  CHECK(t, !board_line(&s->board, BOARD_RTC_IRQ), "alarm not cleared");
}

static void test_syscon(struct setup *s) {
  struct rig *t = &s->board.rig;
  static const struct {
    uint32_t value;
    enum stop_reason reason;
  } cases[] = {{0x5555, STOP_POWEROFF}, {0x7777, STOP_REBOOT}, {0x43333, STOP_POWEROFF}, {0x1234, STOP_NONE}};
  for (unsigned i = 0; i < 4; i++) {
    t->hart.stop_request = STOP_NONE;
    bus_reset(&s->board.bus);
    board_write(&s->board, BOARD_SYSCON_BASE, 4, cases[i].value);
    CHECK(t, t->hart.stop_request == cases[i].reason, "finisher %x", cases[i].value);
    CHECK(t, s->syscon.failure_code == (i == 2 ? 4 : 0), "failure code");
  }
}

int main(void) {
  struct setup *s = calloc(1, sizeof *s);
  struct console_port port = {output, s};
  board_init(&s->board);
  struct bus *bus = &s->board.bus;
  struct plic *plic = &s->board.plic;
  if (!uart_init(&s->uart, bus, plic, BOARD_UART_IRQ, BOARD_UART_BASE, BOARD_UART_SIZE, &port) ||
      !clint_init(&s->clint, bus, BOARD_CLINT_BASE, BOARD_CLINT_SIZE) ||
      !rtc_init(&s->rtc, bus, plic, BOARD_RTC_IRQ, BOARD_RTC_BASE, BOARD_RTC_SIZE) ||
      !syscon_init(&s->syscon, bus, BOARD_SYSCON_BASE, BOARD_SYSCON_SIZE))
    return 1;
  test_transmit(s);
  test_receive(s);
  test_clint(s);
  test_rtc(s);
  test_syscon(s);
  int status = rig_finish(&s->board.rig);
  board_destroy(&s->board);
  free(s);
  return status;
}
