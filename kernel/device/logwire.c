// The wire of the log: port e9 where an emulator listens there, else COM2, else COM1, the
// program's, whose FIFOs and interrupts are left alone. A wire that takes no bytes loses them: the
// log must never stop the machine.
#include "kernel/device/devices.h"
#include "kernel/device/uart.h"

static u16 wire;     // port
static size_t burst; // 0: there is no such port

void logwire_init(void) {
    wire = DEBUGCON_PORT;
    if (emulator_has_debugcon()) return;
    wire = COM2_PORT;
    burst = uart_init(wire);
    if (burst) return;
    wire = COM1_PORT;
    burst = uart_init(wire);
}

void logwire_write(const char *text, size_t bytes) {
    if (wire == DEBUGCON_PORT) outsb(DEBUGCON_PORT, text, bytes);
    if (burst) uart_write(wire, (const u8 *)text, bytes, burst, UART_WAIT_SHORT);
}

bool logwire_is_com1(void) { return wire == COM1_PORT; }

void logwire_flush(void) {
    if (burst) uart_wait(wire, LSR_IDLE, UART_WAIT_SHORT);
}
