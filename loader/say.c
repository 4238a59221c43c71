// What the loader tells: lines on the log wire (where it is, logwire.c knows) and on the screen by the BIOS.
#include "loader/loader.h"
#include "kernel/device/devices.h"
#include "kernel/lib/print.h"

#define VIDEO_TELETYPE 0x0e00 // int 10h AH=0Eh: AL at the cursor, BH page, BL colour in graphics modes

static void screen_byte(char byte) {
    // All of EAX anew each time, and EBP is ours again: some BIOSes lose AX, some BP.
    struct bios_regs regs = {.eax = VIDEO_TELETYPE | (u8)byte, .ebx = 7};
    bios_call(0x10, &regs);
}

static void line(const char *start, const char *fmt, va_list args) {
    char text[256];
    size_t length = (size_t)format(text, sizeof(text) - 1, "%s", start);
    length += (size_t)vformat(text + length, sizeof(text) - 1 - length, fmt, args);
    if (length > sizeof(text) - 2) length = sizeof(text) - 2;
    text[length++] = '\n';
    logwire_write(text, length);
    if (!LOW_MEMORY(u16, BDA_CRTC_PORT)) return; // no display adapter
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') screen_byte('\r');
        screen_byte(text[i]);
    }
}

void say(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    line("vmos: loader: ", fmt, args);
    va_end(args);
}

void fail(const char *fmt, ...) {
    static bool failing; // an exception on the way out must not come back here
    if (failing) bios_stop();
    failing = true;
    va_list args;
    va_start(args, fmt);
    line("vmos! ", fmt, args);
    va_end(args);
    if (emulator_recognise() != EMULATOR_NONE) {
        static const char status[] = "vmos: exit 125\n";
        logwire_write(status, sizeof(status) - 1);
        logwire_flush();
        emulator_exit();
    }
    bios_stop();
}
