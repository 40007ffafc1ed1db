#include "dev/uart.h"

#include <string.h>

enum { RBR_THR_DLL, IER_DLM, IIR_FCR, LCR, MCR, LSR, MSR, SCR };
enum { IER_RX = 1, IER_THRE = 2, IER_LINE = 4, IER_MASK = 0x0f };
enum { IIR_NONE = 1, IIR_THRE = 2, IIR_RX = 4, IIR_LINE = 6, IIR_TIMEOUT = 12, IIR_FIFO = 0xc0 };
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_KEPT = 0xc9 };
enum { LCR_DLAB = 0x80, MCR_LOOP = 0x10, MCR_MASK = 0x1f };
enum { LSR_DATA = 1, LSR_OVERRUN = 2, LSR_EMPTY = 0x60 };
enum { MSR_CTS_DSR_DCD = 0xb0 };
enum { FIFO_BYTES = 16 };

static unsigned fifo_count(const struct uart *uart) {
  unsigned depth = uart->state.fcr & FCR_ENABLE ? FIFO_BYTES : 1;
  return uart->state.count < depth ? uart->state.count : depth;
}

static unsigned trigger(const struct uart *uart) {
  static const uint8_t levels[] = {1, 4, 8, 14};
  return uart->state.fcr & FCR_ENABLE ? levels[uart->state.fcr >> 6] : 1;
}

/* The pending interrupt of highest priority, as IIR shows it without the FIFO bits. */
static unsigned interrupt(const struct uart *uart) {
  unsigned ier = uart->state.ier;
  if (ier & IER_LINE && uart->state.overrun) return IIR_LINE;
  if (ier & IER_RX && uart->state.count) return fifo_count(uart) >= trigger(uart) ? IIR_RX : IIR_TIMEOUT;
  if (ier & IER_THRE && uart->state.thr_interrupt) return IIR_THRE;
  return IIR_NONE;
}

static void update(struct uart *uart) { plic_set_line(uart->plic, uart->irq, interrupt(uart) != IIR_NONE); }

static void drop(struct uart *uart, unsigned n) {
  uart->state.head = (uint16_t)((uart->state.head + n) % UART_LINE_BYTES);
  uart->state.count = (uint16_t)(uart->state.count - n);
}

size_t uart_room(const struct uart *uart) { return UART_LINE_BYTES - uart->state.count; }

size_t uart_input(struct uart *uart, const uint8_t *bytes, size_t size) {
  size_t taken = size < uart_room(uart) ? size : uart_room(uart);
  for (size_t i = 0; i < taken; i++)
    uart->state.line[(uart->state.head + uart->state.count++) % UART_LINE_BYTES] = bytes[i];
  update(uart);
  return taken;
}

static uint8_t receive(struct uart *uart) {
  if (!uart->state.count) return 0;
  uint8_t byte = uart->state.line[uart->state.head];
  drop(uart, 1);
  return byte;
}

static void transmit(struct uart *uart, uint8_t byte) {
  uart->state.thr_interrupt = 1;
  if (!(uart->state.mcr & MCR_LOOP)) {
    uart->port.output(uart->port.opaque, CONSOLE_UART, &byte, 1);
  } else if (uart_input(uart, &byte, 1) == 0) {
    uart->state.overrun = 1;
  }
}

/* In loopback the modem outputs DTR, RTS, OUT1, OUT2 appear as DSR, CTS, RI, DCD. */
static uint8_t modem_status(const struct uart *uart) {
  unsigned mcr = uart->state.mcr;
  if (!(mcr & MCR_LOOP)) return MSR_CTS_DSR_DCD;
  return (uint8_t)((mcr & 1) << 5 | (mcr & 2) << 3 | (mcr & 0xc) << 4);
}

static uint8_t line_status(struct uart *uart) {
  unsigned status = LSR_EMPTY | (uart->state.count ? LSR_DATA : 0) | (uart->state.overrun ? LSR_OVERRUN : 0);
  uart->state.overrun = 0;
  return (uint8_t)status;
}

static uint8_t identify(struct uart *uart) {
  unsigned id = interrupt(uart);
  if (id == IIR_THRE) uart->state.thr_interrupt = 0;
  return (uint8_t)(id | (uart->state.fcr & FCR_ENABLE ? IIR_FIFO : 0));
}

static bool uart_read(void *opaque, uint64_t offset, unsigned size, uint64_t *value) {
  struct uart *uart = opaque;
  (void)size;
  bool dlab = uart->state.lcr & LCR_DLAB;
  switch (offset) {
  case RBR_THR_DLL: *value = dlab ? uart->state.dll : receive(uart); break;
  case IER_DLM: *value = dlab ? uart->state.dlm : uart->state.ier; break;
  case IIR_FCR: *value = identify(uart); break;
  case LCR: *value = uart->state.lcr; break;
  case MCR: *value = uart->state.mcr; break;
  case LSR: *value = line_status(uart); break;
  case MSR: *value = modem_status(uart); break;
  case SCR: *value = uart->state.scr; break;
  default: *value = 0; return true;
  }
  update(uart);
  return true;
}

static void write_fcr(struct uart *uart, uint8_t value) {
  bool toggled = (value ^ uart->state.fcr) & FCR_ENABLE;
  if (toggled || value & FCR_CLEAR_RX) drop(uart, fifo_count(uart));
  uart->state.fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
}

static void write_ier(struct uart *uart, uint8_t value) {
  if (value & IER_THRE && !(uart->state.ier & IER_THRE)) uart->state.thr_interrupt = 1;
  uart->state.ier = value & IER_MASK;
}

static bool uart_write(void *opaque, uint64_t offset, unsigned size, uint64_t wide) {
  struct uart *uart = opaque;
  (void)size;
  uint8_t value = (uint8_t)wide;
  bool dlab = uart->state.lcr & LCR_DLAB;
  switch (offset) {
  case RBR_THR_DLL:
    if (dlab)
      uart->state.dll = value;
    else
      transmit(uart, value);
    break;
  case IER_DLM:
    if (dlab)
      uart->state.dlm = value;
    else
      write_ier(uart, value);
    break;
  case IIR_FCR: write_fcr(uart, value); break;
  case LCR: uart->state.lcr = value; break;
  case MCR: uart->state.mcr = value & MCR_MASK; break;
  case SCR: uart->state.scr = value; break;
  default: return true;
  }
  update(uart);
  return true;
}

static const struct mmio_ops uart_ops = {uart_read, uart_write};

static void uart_reset(void *opaque) {
  struct uart *uart = opaque;
  memset(&uart->state, 0, sizeof uart->state);
  uart->state.dll = 1;
  update(uart);
}

static bool uart_load(void *opaque, struct blob_reader *in) {
  const struct uart *uart = opaque;
  (void)in;
  return uart->state.head < UART_LINE_BYTES && uart->state.count <= UART_LINE_BYTES &&
         uart->state.ier <= IER_MASK && uart->state.mcr <= MCR_MASK && !(uart->state.fcr & ~FCR_KEPT) &&
         uart->state.overrun <= 1 && uart->state.thr_interrupt <= 1;
}

bool uart_init(struct uart *uart, struct bus *bus, struct plic *plic, unsigned irq, uint64_t base,
               uint64_t size, const struct console_port *port) {
  memset(uart, 0, sizeof *uart);
  uart->hart = bus->hart;
  uart->plic = plic;
  uart->irq = irq;
  uart->port = *port;
  return bus_add(bus, &(struct device){.name = "uart",
                                       .base = base,
                                       .size = size,
                                       .ops = &uart_ops,
                                       .opaque = uart,
                                       .state = &uart->state,
                                       .state_size = sizeof uart->state,
                                       .reset = uart_reset,
                                       .load = uart_load});
}
