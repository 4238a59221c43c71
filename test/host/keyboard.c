// kernel/device/keyboard.c on a simulated controller at an edge-triggered interrupt line: how it is
// set up, that no key is lost, and that whatever the controller does not do costs a bounded time.
#include <stdlib.h>
#include <string.h>

// The real instructions make way for the simulated ports.
#define inb  real_inb
#define outb real_outb
#include "kernel/cpu/x86.h"
#undef inb
#undef outb
#define log vmos_log // the C library has another
#include "test/check.h"

static bool absent, deaf, silent; // no controller; takes no byte; does not answer
static u8 config;
static unsigned writes;                  // of the configuration byte
static u8 queue[4096], from_mouse[4096]; // bytes to come
static unsigned queue_start, queue_end, status_reads;
static int command = -1;
static bool edge, hasty; // hasty: a key is pressed while the line is being set up

static void put(u8 byte, bool mouse) {
    from_mouse[queue_end] = mouse;
    queue[queue_end++] = byte;
    edge |= config & 1 && queue_end - queue_start == 1 && !mouse;
}

static u8 inb(u16 port) {
    if (absent) return 0xff;
    if (port == 0x64) {
        status_reads++;
        if (queue_start == queue_end) return deaf ? 2 : 0;
        return 1 | (deaf ? 2 : 0) | (from_mouse[queue_start] ? 0x20 : 0);
    }
    CHECK(port == 0x60 && queue_start < queue_end);
    u8 byte = queue[queue_start++];
    edge |= config & 1 && queue_start < queue_end &&
            !from_mouse[queue_start]; // the line fell and rises again
    return byte;
}

static void outb(u16 port, u8 byte) {
    CHECK(!deaf && !absent);
    if (port == 0x64) {
        CHECK(byte == 0x20 || byte == 0x60);
        command = byte;
        if (byte == 0x20 && !silent) put(config, true);
    } else {
        CHECK(port == 0x60 && command == 0x60);
        config = byte;
        writes++;
    }
}

static void (*on_interrupt)(void);
void interrupt_set(unsigned number, void (*handler)(void)) {
    CHECK(number == 1);
    on_interrupt = handler;
    if (hasty) put(0x1e, false), edge = false; // an IO-APIC forgets what comes before
}

static char said[256];
void log(const char *fmt, ...) { snprintf(said, sizeof said, "%s", fmt); }
void logwire_flush(void) {}
void serial_flush(bool patiently) { (void)patiently; }
static unsigned restarts;
void power_restart(void) {
    if (++restarts) exit(!(strstr(said, "Ctrl-Alt-Del") && check_done("keyboard") == 0));
    abort();
}

#include "kernel/device/keys.c"
#include "kernel/device/keyboard.c"

static char typed[8192];
static size_t typed_bytes;
static void got(u8 byte) { typed[typed_bytes++] = (char)byte; }

static struct acpi_info tables;

static bool begin(u8 first_config) {
    config = first_config;
    queue_start = queue_end = status_reads = writes = 0;
    typed_bytes = 0;
    edge = false;
    said[0] = 0;
    on_interrupt = NULL;
    memset(&keys, 0, sizeof keys);
    return keyboard_on_input(got);
}

static void interrupts(void) {
    while (edge) {
        edge = false;
        on_interrupt();
    }
}

static void test_set_up(void) {
    CHECK(begin(0x65) && !writes && config == 0x65 && !said[0] && status_reads < 10);
    CHECK(begin(0x10) && writes == 1 && config == 0x61); // all of it wrong
    CHECK(begin(0x47) && writes == 1 && config == 0x65); // a mouse
    tables.no_keyboard = true;
    CHECK(begin(0x65) && !said[0] && on_interrupt); // it answers all the same
    silent = true;
    CHECK(!begin(0x65) && strstr(said, "keyboard: none") && !on_interrupt && status_reads < 200000);
    silent = false, absent = true;
    CHECK(!begin(0) && strstr(said, "keyboard: none") && !on_interrupt);
    tables.no_keyboard = false;
    CHECK(!begin(0) && strstr(said, "keyboard: none") && !on_interrupt);
    absent = false, hasty = true;
    CHECK(begin(0x65) && queue_start == queue_end && typed_bytes == 1);
    hasty = false, silent = true;
    CHECK(begin(0x65) && strstr(said, "as the firmware left it") && status_reads < 200000 &&
          !writes);
    silent = false, deaf = true;
    CHECK(begin(0x65) && strstr(said, "as the firmware left it") && status_reads < 200000);
    deaf = false;
}

// However many come at once, from the moment of the set-up on.
static void test_storm(void) {
    CHECK(begin(0x65));
    unsigned sent = 0;
    for (unsigned burst = 1; burst < 200; burst += 9) {
        for (unsigned i = 0; i < burst; i++, sent++)
            put(0x1e, false), put(0x9e, false), put(0x1e, true);
        edge |= true;
        interrupts();
        if (queue_start < queue_end)
            edge = true, interrupts(); // a mouse's byte was next: its own line
        CHECK(queue_start == queue_end && typed_bytes == sent);
        queue_start = queue_end = 0;
    }
}

int main(void) {
    keyboard_init(&tables);
    test_set_up();
    test_storm();
    put(0x1d, false), put(0x38, false), put(0xe0, false), put(0x53, false);
    edge = true;
    interrupts();
    CHECK(!"it restarted");
    return check_done("keyboard");
}
