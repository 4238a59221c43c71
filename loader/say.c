// What the loader tells: lines on the log wire and on the screen by the BIOS. The last one may be
// about an exception of the loader, or of the kernel's first instructions until it has handlers of
// its own.
#include "loader/loader.h"
#include "kernel/cpu/x86.h"
#include "kernel/device/devices.h"
#include "kernel/lib/print.h"

// int 10h AH=0Eh: AL at the cursor, BH page, BL colour in graphics modes
#define VIDEO_TELETYPE 0x0e00
#define KEYBOARD_WAIT  0x0000 // int 16h AH=00h: returns with a key

static void screen_byte(char byte) {
    // All of EAX anew each time, and EBP is ours again: some BIOSes lose AX, some BP.
    struct bios_regs regs = {.eax = VIDEO_TELETYPE | (u8)byte, .ebx = 7};
    bios_call(0x10, &regs);
}

static void say_line(bool shown, const char *start, const char *fmt, va_list args) {
    char text[256];
    size_t length = (size_t)format(text, sizeof(text) - 1, "%s", start);
    length += (size_t)vformat(text + length, sizeof(text) - 1 - length, fmt, args);
    if (length > sizeof(text) - 2) length = sizeof(text) - 2;
    text[length++] = '\n';
    if (shown || !logwire_is_com1()) logwire_write(text, length);
    if (!shown || !LOW_MEMORY(u16, BDA_CRTC_PORT)) return; // no display adapter
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') screen_byte('\r');
        screen_byte(text[i]);
    }
}

// One line of progress on the log wire and the screen, "vmos: loader: " in front. With the word
// quiet it goes to a wire that is the log's own, and nowhere else.
void say(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    say_line(!options.quiet, "vmos: loader: ", fmt, args);
    va_end(args);
}

// One line about an error on the log wire and the screen, "vmos! " in front. Then an emulator ends
// with status 125; a PC waits for Ctrl-Alt-Del.
void fail(const char *fmt, ...) {
    static bool failing; // an exception on the way out must not come back here
    if (!failing) {
        failing = true;
        va_list args;
        va_start(args, fmt);
        say_line(true, "vmos! ", fmt, args);
        va_end(args);
        if (emulator_recognise() != EMULATOR_NONE) {
            static const char status[] = "vmos: exit 125\n";
            logwire_write(status, sizeof(status) - 1);
            logwire_flush();
            emulator_exit();
        }
    }
    for (;;) { // the BIOS waits with interrupts on, so Ctrl-Alt-Del works
        struct bios_regs regs = {.eax = KEYBOARD_WAIT};
        bios_call(0x16, &regs);
    }
}

// As the stubs of entry.asm and the CPU leave it on the stack (Intel SDM 3 6.14.2).
struct exception_frame {
    u64 vector, error, rip, cs, rflags, rsp, ss;
};

void __attribute__((noreturn)) loader_exception(const struct exception_frame *frame) {
    // Two letters for each vector (SDM 3 table 6-1; NI is the NMI, CS the coprocessor segment
    // overrun).
    static const char names[] = "DEDBNIBPOFBRUDNMDFCSTSNPSSGPPF??MFACMCXMVECP????????????HVVCSX??";
    const char *who = "the loader";
    if (boot.tsc[STAGE_KERNEL_LOW]) // it is stamped right before the jump
        who = "the kernel, before it had handlers,";
    fail("%s stopped on exception %lu (#%.2s), error 0x%lx, at 0x%lx, CR2 0x%lx", who,
         frame->vector, names + 2 * frame->vector, frame->error, frame->rip, read_cr2());
}
