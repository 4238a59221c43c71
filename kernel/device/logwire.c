// The wire of the log: port e9 where an emulator listens there, else COM2, else it shares COM1 with the program.
// Shared with the loader. A wire that does not take its bytes loses them: the log must never stop the machine.
#include "kernel/device/devices.h"
#include "kernel/device/uart.h"

static u16 wire; // port; 0: there is none
static size_t burst;

// COM1 belongs to the program: only the line is set, to what serial.c sets as well; the FIFOs may hold input already.
static bool take_uart(u16 port)
{
    if (!uart_present(port)) return false;
    uart_set_line(port);
    if (port != COM1_PORT) outb(port + UART_FCR, FCR_ON_AND_CLEAR);
    wire = port;
    burst = (inb(port + UART_FCR) & IIR_FIFO_WORKS) == IIR_FIFO_WORKS ? UART_FIFO : 1;
    return true;
}

void logwire_init(void)
{
    if (emulator_has_debugcon())
        wire = DEBUGCON_PORT;
    else if (!take_uart(COM2_PORT))
        take_uart(COM1_PORT);
}

void logwire_write(const char *text, size_t bytes)
{
    if (wire == DEBUGCON_PORT)
        outsb(DEBUGCON_PORT, text, bytes);
    else if (wire != 0)
        uart_write(wire, (const u8 *)text, bytes, burst, UART_WAIT_SHORT);
}

void logwire_flush(void)
{
    if (wire != 0 && wire != DEBUGCON_PORT) uart_wait(wire, LSR_IDLE, UART_WAIT_SHORT);
}
