// A20: on an unprepared PC address bit 20 is forced to 0, so that 1 MiB and 0 are the same byte.
// The MBR has asked the BIOS (int 15h 2401h); its answer is no proof, so it is tested here, and the
// two old switches are tried, the keyboard controller first: port 92h blanks or hangs rare
// machines.
#include "loader/loader.h"
#include "kernel/cpu/x86.h"
#include "kernel/device/i8042.h"

#define ALIAS_TESTS      32    // the gate may be settling
#define ALIAS_TESTS_LONG 65536 // keyboard controllers take their time: at about 1 us a test
#define IO_DELAY_PORT    0x80  // POST codes; a write takes about 1 us on every PC

#define KBC_A20_ON    0xdf // to the output port
#define PORT_92       0x92
#define PORT_92_A20   (1u << 1)
#define PORT_92_RESET (1u << 0) // fast reset: never set it

// Writes the opposite of what 1 MiB above reads. On a machine with A20 off both are one cell and
// read equal; a bus that echoes the last value written could do so by chance, hence twice in a row.
static bool a20_on(int tests) {
    static volatile u32 cell;
    volatile u32 *low = &cell;
    volatile u32 *high = low_memory((uintptr_t)&cell + 0x100000);
    for (int apart = 0; tests--;) {
        *low = ~*high;
        outb(IO_DELAY_PORT, 0);
        if (*high == *low)
            apart = 0;
        else if (++apart == 2)
            return true;
    }
    return false;
}

// Writes when the controller takes a byte. False: there is no controller, or it hangs.
static bool kbc_write(u16 port, u8 byte) {
    for (int i = 0; i < KBC_POLLS; i++) {
        u8 status = inb(KBC_STATUS);
        if (status == KBC_ABSENT) return false;
        if (status & KBC_OUTPUT_FULL) inb(KBC_DATA);
        if (status & KBC_INPUT_FULL) continue;
        outb(port, byte);
        return true;
    }
    return false;
}

// Switches address line A20 on, or fails with a sentence when addresses with bit 20 set cannot be
// reached. It costs two writes and reads of memory where A20 is on already.
void a20_enable(void) {
    if (a20_on(ALIAS_TESTS)) return;
    if (kbc_write(KBC_STATUS, KBC_WRITE_OUTPUT_PORT) && kbc_write(KBC_DATA, KBC_A20_ON))
        kbc_write(KBC_STATUS, KBC_NULL);
    if (a20_on(ALIAS_TESTS_LONG)) return;
    u8 value = inb(PORT_92);
    if (!(value & PORT_92_A20)) outb(PORT_92, (value | PORT_92_A20) & ~PORT_92_RESET);
    if (!a20_on(ALIAS_TESTS_LONG))
        fail("address line A20 stays off: this machine cannot reach its memory above 1 MiB");
}
