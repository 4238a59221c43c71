// The keyboard on the controller's first port, by interrupt 1; firmware shows USB keyboards there, too. What firmware
// set up is changed only where it would not do, and nothing is reset: its SMIs may have no more to offer than this.
#include "kernel/cpu/trap.h"
#include "kernel/cpu/x86.h"
#include "kernel/device/devices.h"
#include "kernel/device/i8042.h"
#include "kernel/kernel.h"

#define KEYBOARD_LINE 1
#define BURST         32 // bytes taken at once

// The configuration byte.
#define CONFIG_INTERRUPT       (1u << 0)
#define CONFIG_MOUSE_INTERRUPT (1u << 1)
#define CONFIG_CLOCK_OFF       (1u << 4)
#define CONFIG_MOUSE_CLOCK_OFF (1u << 5)
#define CONFIG_TRANSLATE       (1u << 6) // to scan code set 1

static const struct acpi_info *acpi;
static void (*input)(u8 byte);
static struct keys keys;

void keyboard_init(const struct acpi_info *info) { acpi = info; }

static void scanned(u8 code) {
    u8 bytes[KEYS_BYTES];
    size_t count = keys_decode(&keys, code, bytes);
    if (count == KEYS_RESTART) {
        log("keyboard: Ctrl-Alt-Del; the machine restarts");
        logwire_flush();
        power_restart();
    }
    for (size_t i = 0; i < count; i++) input(bytes[i]);
}

// Takes what is there, and drops the mouse's. Should there be more, the next byte raises the line anew.
static void take_keys(void) {
    for (int i = 0; i < BURST; i++) {
        u8 status = inb(KBC_STATUS);
        if (!(status & KBC_OUTPUT_FULL)) return;
        u8 code = inb(KBC_DATA);
        if (!(status & KBC_FROM_MOUSE)) scanned(code);
    }
}

static bool status_becomes(u8 mask, u8 value) {
    for (int i = 0; i < KBC_POLLS; i++)
        if ((inb(KBC_STATUS) & mask) == value) return true;
    return false;
}

static bool send(u16 port, u8 byte) {
    bool taken = status_becomes(KBC_INPUT_FULL, 0);
    if (taken) outb(port, byte);
    return taken;
}

// Nobody here listens to a mouse, whose bytes would fill the one output buffer. A key that is pressed right now is
// taken for the configuration byte: all bits that matter are set here, and the real one is the code of no key
// afterwards.
static bool configure(void) {
    for (int i = 0; i < BURST && inb(KBC_STATUS) & KBC_OUTPUT_FULL; i++)
        inb(KBC_DATA); // pressed before anybody listened
    if (!send(KBC_STATUS, KBC_READ_CONFIG) || !status_becomes(KBC_OUTPUT_FULL, KBC_OUTPUT_FULL)) return false;
    u8 config = inb(KBC_DATA), wanted = config & (u8) ~(CONFIG_CLOCK_OFF | CONFIG_MOUSE_INTERRUPT);
    wanted |= CONFIG_INTERRUPT | CONFIG_TRANSLATE | CONFIG_MOUSE_CLOCK_OFF;
    return wanted == config || (send(KBC_STATUS, KBC_WRITE_CONFIG) && send(KBC_DATA, wanted));
}

bool keyboard_on_input(void (*got)(u8 byte)) {
    bool denied = acpi->no_keyboard;
    if (denied || inb(KBC_STATUS) == KBC_ABSENT) {
        log("keyboard: none: %s", denied ? "ACPI says that there is no controller" : "no controller answers");
        return false;
    }
    input = got;
    if (!configure()) log("keyboard: the controller takes no commands; used as the firmware left it");
    interrupt_set(KEYBOARD_LINE, take_keys);
    take_keys(); // a byte that came before holds the line up, of which the interrupt controllers see only edges
    return true;
}
