// A20: on an unprepared PC address bit 20 is forced to 0, so that 1 MiB and 0 are the same byte. The MBR has asked the
// BIOS (int 15h 2401h); its answer is no proof, so it is tested here, and the two old switches are tried, the keyboard
// controller first: port 92h blanks or hangs rare machines.
#include "loader/loader.h"
#include "kernel/cpu/x86.h"

#define ALIAS_TESTS      32    // the gate may be settling
#define ALIAS_TESTS_LONG 65536 // keyboard controllers take their time: at about 1 us a test
#define IO_DELAY_PORT    0x80  // POST codes; a write takes about 1 us on every PC

#define KBC_DATA              0x60
#define KBC_CONTROL           0x64      // status when read, command when written
#define KBC_OUTPUT_FULL       (1u << 0) // a byte waits for us
#define KBC_INPUT_FULL        (1u << 1) // the controller has not taken our last byte
#define KBC_ABSENT            0xff      // a port nobody answers
#define KBC_POLLS             100000
#define KBC_WRITE_OUTPUT_PORT 0xd1
#define KBC_A20_ON            0xdf
#define KBC_NULL              0xff // UHCI's keyboard emulation wants an end of the sequence

#define PORT_92       0x92
#define PORT_92_A20   (1u << 1)
#define PORT_92_RESET (1u << 0) // fast reset: never set it

// Writes the opposite of what 1 MiB above reads. On a machine with A20 off both are one cell and read equal; a bus
// that echoes the last value written could do so by chance, hence twice.
static bool alias_gone(void) {
    volatile u32 *low = (volatile u32 *)BOUNCE, *high = (volatile u32 *)(BOUNCE + 0x100000);
    for (int i = 0; i < 2; i++) {
        *low = ~*high;
        outb(IO_DELAY_PORT, 0);
        if (*high == *low) return false;
    }
    return true;
}

static bool a20_on(int tests) {
    while (tests--)
        if (alias_gone()) return true;
    return false;
}

static bool kbc_ready(void) {
    for (int i = 0; i < KBC_POLLS; i++) {
        u8 status = inb(KBC_CONTROL);
        if (status == KBC_ABSENT) return false;
        if (status & KBC_OUTPUT_FULL) inb(KBC_DATA);
        if (!(status & KBC_INPUT_FULL)) return true;
    }
    return false;
}

static void by_keyboard_controller(void) {
    if (!kbc_ready()) return;
    outb(KBC_CONTROL, KBC_WRITE_OUTPUT_PORT);
    if (!kbc_ready()) return;
    outb(KBC_DATA, KBC_A20_ON);
    if (!kbc_ready()) return;
    outb(KBC_CONTROL, KBC_NULL);
    kbc_ready();
}

static void by_port_92(void) {
    u8 value = inb(PORT_92);
    if (!(value & PORT_92_A20)) outb(PORT_92, (value | PORT_92_A20) & ~PORT_92_RESET);
}

bool a20_enable(void) {
    if (a20_on(ALIAS_TESTS)) return true;
    by_keyboard_controller();
    if (a20_on(ALIAS_TESTS_LONG)) return true;
    by_port_92();
    return a20_on(ALIAS_TESTS_LONG);
}
