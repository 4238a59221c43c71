// A 16550 or its ancestors (TI PC16550D data sheet), by base port. No state: that is with serial.c
// and logwire.c.
#pragma once

#include "kernel/cpu/x86.h"

#define COM1_PORT 0x3f8
#define COM2_PORT 0x2f8

#define UART_DATA        0 // with LCR_DLAB: divisor, low byte
#define UART_IER         1 // interrupt enable; with LCR_DLAB: divisor, high byte
#define UART_FCR         2 // FIFO control when written
#define UART_IIR         2 // interrupt identification when read
#define UART_LCR         3 // line control
#define UART_MCR         4 // modem control
#define UART_LSR         5 // line status
#define UART_SCRATCH     7
#define IER_RECEIVED     0x01 // interrupt when bytes are there
#define IER_EMPTY        0x02 // interrupt when the transmit FIFO is empty, also at once
#define IIR_CAUSE        0x0f
#define IIR_EMPTY        0x02
#define FCR_ON_AND_CLEAR 0x07 // FIFOs on and empty, interrupt at the first byte
#define IIR_FIFO_WORKS   0xc0 // both bits: a 16550A; one: the 16550 whose FIFO is broken
#define LCR_8N1          0x03
#define LCR_DLAB         0x80
#define MCR_DTR_RTS_OUT2 0x0b // OUT2 connects the interrupt line on a PC
#define LSR_READY        0x01 // a byte is there
#define LSR_OVERRUN      0x02 // a byte was lost; reading clears it
#define LSR_THRE         0x20 // the transmit FIFO is empty
#define LSR_IDLE         0x40 // and the last bit has left
#define UART_FIFO        16

// One read of an ISA port takes about a microsecond on a PC; 16 bytes at 115200 baud take 1400.
#define UART_WAIT_SHORT 100000u

// How many bytes the port takes at once, 0: there is none, since its scratch register does not hold
// what is written. Sets 115200 baud, 8N1 (Bochs powers up with 5-bit words); FIFOs and interrupts
// stay as they are.
static inline size_t uart_init(u16 port) {
    outb(port + UART_SCRATCH, 0x5a);
    if (inb(port + UART_SCRATCH) != 0x5a) return 0;
    outb(port + UART_LCR, LCR_8N1 | LCR_DLAB);
    outb(port + UART_DATA, 1);
    outb(port + UART_IER, 0);
    outb(port + UART_LCR, LCR_8N1);
    outb(port + UART_MCR, MCR_DTR_RTS_OUT2);
    bool fifo_works = (inb(port + UART_IIR) & IIR_FIFO_WORKS) == IIR_FIFO_WORKS;
    if (!fifo_works) return 1;
    return UART_FIFO;
}

// Waits until the line status has a bit, for at most tries reads.
static inline bool uart_wait(u16 port, u8 bit, u32 tries) {
    while (!(inb(port + UART_LSR) & bit))
        if (--tries == 0) return false;
    return true;
}

// Sends bytes, burst (what uart_init() gave) at a time. False when the port took none for tries
// reads.
static inline bool uart_write(u16 port, const u8 *bytes, size_t count, size_t burst, u32 tries) {
    for (size_t n; count > 0; bytes += n, count -= n) {
        n = MIN(count, burst);
        if (!uart_wait(port, LSR_THRE, tries)) return false;
        outsb(port, bytes, n);
    }
    return true;
}
