/* 16550A UART (National Semiconductor PC16550D data sheet), register shift 0. Hart thread.
 *
 * Transmission takes no time: the transmitter is always empty. Input given by uart_input waits in a line
 * buffer and enters the 16-byte receive FIFO as the guest makes room, so timing is a function of the guest
 * alone. A FIFO below its trigger level raises the character time-out interrupt at once. */
#ifndef DEV_UART_H
#define DEV_UART_H

#include "dev/bus.h"
#include "dev/console_port.h"
#include "dev/plic.h"

enum { UART_LINE_BYTES = 4096 };

struct uart {
  struct hart *hart;
  struct plic *plic;
  unsigned irq;
  struct console_port port;
  struct {
    uint8_t ier, fcr, lcr, mcr, scr, dll, dlm, overrun;
    uint8_t thr_interrupt; /* THRE interrupt is due: the holding register became empty */
    uint16_t head, count;  /* of line */
    uint8_t reserved[7];
    uint8_t line[UART_LINE_BYTES];
  } state;
};

bool uart_init(struct uart *uart, struct bus *bus, struct plic *plic, unsigned irq, uint64_t base,
               uint64_t size, const struct console_port *port);

/* Bytes of input that can be taken now. */
size_t uart_room(const struct uart *uart);

/* Input from outside; at most uart_room bytes, the rest is refused. Returns the bytes taken. */
size_t uart_input(struct uart *uart, const uint8_t *bytes, size_t size);

#endif
