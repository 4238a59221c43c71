// kernel/device/serial.c on a simulated UART at an edge-triggered interrupt line: however much comes at once, every
// byte arrives, and what goes out is what was given.
#include <stdlib.h>

// The real instructions make way for the simulated port.
#define inb   real_inb
#define outb  real_outb
#define outsb real_outsb
#include "kernel/cpu/x86.h"
#undef inb
#undef outb
#undef outsb
#define log vmos_log // the C library has another
#include "test/check.h"

static u8 scratch, enabled, line;
static unsigned waiting, given; // bytes that come in: bytes of a counter
static bool edge;               // the PIC has seen one
static bool absent;

static void update_line(void) {
    u8 level = enabled & 1 && waiting > 0;
    if (level && !line) edge = true;
    line = level;
}

static u8 inb(u16 port) {
    if (absent) return 0xff;
    u8 value = 0;
    switch (port - 0x3f8) {
    case 0:
        CHECK(waiting > 0);
        waiting--;
        value = (u8)given++;
        break;
    case 2: value = 0xc1; break;
    case 5: value = 0x60 | (waiting > 0); break;
    case 7: value = scratch; break;
    default: CHECK(!"a register nobody needs");
    }
    update_line();
    return value;
}

static void outb(u16 port, u8 value) {
    static u8 control;
    if (port == 0x3fb) control = value;
    if (port == 0x3ff) scratch = value;
    if (port == 0x3f9 && !(control & 0x80)) enabled = value;
    update_line();
}

static size_t sent;
static void outsb(u16 port, const void *bytes, size_t count) {
    CHECK(port == 0x3f8 && count <= 16);
    for (size_t i = 0; i < count; i++) CHECK(((const u8 *)bytes)[i] == (u8)sent++);
}

void cpu_serve(void) {}
static size_t logged;
static bool is_com1, taken;
bool logwire_take(void) { return (taken = !taken); } // every second time by the log
void logwire_give(void) { taken = false; }
void logwire_write(const char *text, size_t bytes) { logged += text[0] == 11 ? bytes : 0; }
bool logwire_is_com1(void) { return is_com1; }

static void (*on_interrupt)(void);
void interrupt_set(unsigned number, void (*handler)(void)) {
    CHECK(number == 4);
    on_interrupt = handler;
}

void log_error(const char *fmt, ...) { CHECK(fmt == NULL); }

#include "kernel/device/serial.c"

static unsigned arrived;
static void got(u8 byte) { CHECK(byte == (u8)arrived++); }

int main(void) {
    static u8 bytes[1000];
    for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (u8)i;
    absent = true;
    CHECK(!serial_init());
    serial_write(bytes, sizeof(bytes));
    serial_on_input(got);
    CHECK(!sent && !on_interrupt);

    absent = false;
    CHECK(serial_init());
    serial_write(bytes, sizeof(bytes));
    CHECK(sent == sizeof(bytes));
    waiting = 3; // typed before anybody listens
    serial_on_input(got);
    for (unsigned burst_of = 1; burst_of < 2000; burst_of += 7) {
        while (edge) {
            edge = false;
            on_interrupt();
        }
        CHECK(waiting == 0 && arrived == given);
        waiting = burst_of;
        update_line();
    }

    is_com1 = true; // a report goes to the log's wire, once
    serial_panic("\13\14\15", 3);
    CHECK(logged == 3 && sent == sizeof(bytes));
    is_com1 = false; // and to COM1, on a line of its own
    sent = '\n';
    serial_panic("\13\14\15", 3);
    serial_panic("\16", 1);
    CHECK(logged == 6 && sent == '\n' + 5);
    return check_done("serial");
}
