// COM1, the program's terminal: bytes go out and come in as they are. Output is polled; input comes by interrupt.
#include "kernel/device/devices.h"
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/trap.h"
#include "kernel/device/uart.h"
#include "kernel/kernel.h"

#define COM1_LINE 4
// Whoever reads the program's output at the other end of an emulator's port may pause for a while; nothing is lost for
// about an hour, then the port is taken for dead.
#define WAIT_LONG UINT32_MAX

static size_t burst; // 0: there is no port
static void (*input)(u8 byte);
static int early = -1; // a byte that came before, a ^C perhaps: turning the FIFOs on would drop it

bool serial_init(void) {
    u8 status = inb(COM1_PORT + UART_LSR);
    if (status != 0xff && status & LSR_READY) early = inb(COM1_PORT + UART_DATA);
    outb(COM1_PORT + UART_FCR, FCR_ON_AND_CLEAR);
    burst = uart_init(COM1_PORT);
    return burst != 0;
}

// Other CPUs go on meanwhile, and want this one to serve them.
void serial_write(const void *bytes, size_t count) {
    u32 tries = WAIT_LONG;
    for (size_t n; burst && count > 0; cpu_serve()) {
        n = count < burst ? count : burst;
        bool free = logwire_take(), sent = free && uart_write(COM1_PORT, bytes, n, burst, 1);
        if (free) logwire_give();
        tries = sent ? WAIT_LONG : tries - 1;
        if (sent) bytes = (const u8 *)bytes + n, count -= n;
        if (tries == 0) burst = 0, log_error("COM1 takes no more bytes: the program's output from here on is lost");
    }
}

// Works whatever state the port is in, before serial_init() too. The report begins on a line of its own.
void serial_panic(const char *text, size_t bytes) {
    static bool began, dead;
    if (dead || logwire_is_com1()) return;
    if (!began) burst = uart_init(COM1_PORT);
    if (!began && burst) dead = !uart_write(COM1_PORT, (const u8 *)"\n", 1, burst, UART_WAIT_SHORT);
    began = true;
    dead = dead || !burst || !uart_write(COM1_PORT, (const u8 *)text, bytes, burst, UART_WAIT_SHORT);
}

void serial_flush(void) {
    if (burst) uart_wait(COM1_PORT, LSR_IDLE, UART_WAIT_SHORT);
}

// Takes what is there. A port that is always ready must leave time for the rest: its interrupt goes off and on, so that
// the line, of which the PIC sees only edges, rises anew for what is left.
static void received(void) {
    for (int i = 0; i < 4 * UART_FIFO; i++) {
        u8 status = inb(COM1_PORT + UART_LSR);
        if (status & LSR_OVERRUN) log_error("COM1: input came faster than it was taken; at least one byte is lost");
        if (!(status & LSR_READY)) return;
        input(inb(COM1_PORT + UART_DATA));
    }
    outb(COM1_PORT + UART_IER, 0);
    outb(COM1_PORT + UART_IER, IER_RECEIVED);
}

bool serial_on_input(void (*got)(u8 byte)) {
    if (!burst) return false;
    input = got;
    if (early >= 0) input((u8)early);
    interrupt_set(COM1_LINE, received);
    outb(COM1_PORT + UART_IER, IER_RECEIVED);
    return true;
}
