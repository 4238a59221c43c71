// The keyboard on the controller's first port, by interrupt 1; firmware shows USB keyboards there,
// too. What firmware set up is changed only where it would not do, and nothing is reset: its SMIs
// may have no more to offer than this.
#include "kernel/cpu/trap.h"
#include "kernel/cpu/x86.h"
#include "kernel/device/devices.h"
#include "kernel/device/i8042.h"
#include "kernel/kernel.h"

#define KEYBOARD_LINE 1
#define BURST         32 // bytes taken at once

// Of the configuration byte; translation is to scan code set 1.
enum {
    INTERRUPT = 1 << 0,
    MOUSE_INTERRUPT = 1 << 1,
    CLOCK_OFF = 1 << 4,
    MOUSE_CLOCK_OFF = 1 << 5,
    TRANSLATE = 1 << 6
};

static const struct acpi_info *acpi;
static void (*input)(u8 byte);
static struct keys keys;

void keyboard_init(const struct acpi_info *info) { acpi = info; }

static void keyboard_scanned(u8 code) {
    u8 bytes[KEYS_BYTES];
    size_t count = keys_decode(&keys, code, bytes);
    if (count == KEYS_RESTART) {
        log("keyboard: Ctrl-Alt-Del; the machine restarts");
        serial_flush(false);
        logwire_flush();
        power_restart();
    }
    for (size_t i = 0; i < count; i++) input(bytes[i]);
}

// Takes what is there, and drops the mouse's. Should there be more, the next byte raises the line
// anew.
static void keyboard_take_keys(void) {
    for (int i = 0; i < BURST; i++) {
        u8 status = inb(KBC_STATUS);
        if (!(status & KBC_OUTPUT_FULL)) return;
        u8 code = inb(KBC_DATA);
        if (!(status & KBC_FROM_MOUSE)) keyboard_scanned(code);
    }
}

static bool keyboard_status_becomes(u8 mask, u8 value) {
    for (int i = 0; i < KBC_POLLS; i++)
        if ((inb(KBC_STATUS) & mask) == value) return true;
    return false;
}

static bool keyboard_send(u16 port, u8 byte) {
    bool taken = keyboard_status_becomes(KBC_INPUT_FULL, 0);
    if (taken) outb(port, byte);
    return taken;
}

// Nobody listens to a mouse, whose bytes would fill the one output buffer. A key that comes instead
// of the configuration byte does no harm: all bits that matter are set here, and the byte that
// follows is the code of no key.
static bool keyboard_configure(void) {
    for (int i = 0; i < BURST && inb(KBC_STATUS) & KBC_OUTPUT_FULL; i++)
        inb(KBC_DATA); // nobody wants it any more
    if (!keyboard_send(KBC_STATUS, KBC_READ_CONFIG) ||
        !keyboard_status_becomes(KBC_OUTPUT_FULL, KBC_OUTPUT_FULL))
        return false;
    u8 config = inb(KBC_DATA);
    u8 wanted = config & (u8) ~(CLOCK_OFF | MOUSE_INTERRUPT);
    wanted |= INTERRUPT | TRANSLATE | MOUSE_CLOCK_OFF;
    if (wanted == config) return true;
    return keyboard_send(KBC_STATUS, KBC_WRITE_CONFIG) && keyboard_send(KBC_DATA, wanted);
}

// Enables the keyboard's interrupt, and calls got in it with each byte. Ctrl-Alt-Del restarts the
// machine. False, and a line in the log: there is no keyboard.
bool keyboard_on_input(void (*got)(u8 byte)) {
    // QEMU before 7.1 denies the one of its q35: what takes commands is there.
    bool denied = acpi->no_keyboard;
    bool here = inb(KBC_STATUS) != KBC_ABSENT;
    bool ready = here && keyboard_configure();
    if (!here || (denied && !ready)) {
        const char *why = "no controller answers";
        if (denied) why = "ACPI says that there is no controller";
        log("keyboard: none: %s", why);
        return false;
    }
    input = got;
    if (!ready) log("keyboard: the controller takes no commands; used as the firmware left it");
    interrupt_set(KEYBOARD_LINE, keyboard_take_keys);
    // A byte that came before holds the line up, and the interrupt controllers see only edges.
    keyboard_take_keys();
    return true;
}
