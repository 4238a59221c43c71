// The terminal: COM1, and screen and keyboard, or one of these (console=), behind the line
// discipline. Bytes come in by interrupt, on the boot CPU.
#include <asm/ioctls.h>
#include <asm/termios.h>
#include "kernel/cpu/lock.h"
#include "kernel/cpu/time.h"
#include "kernel/cpu/trap.h"
#include "kernel/device/devices.h"
#include "kernel/file/file.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"

static struct tty tty;
static struct lock lock = {.rank = LOCK_TERMINAL}; // of tty, and of what leaves through it
static const struct terminal_events *events;
static bool no_input; // every read is at the end
// As the program was told and as it set them; the port keeps its own.
static speed_t input_speed = 115200;
static speed_t output_speed = 115200;

void terminal_show_later(void) {
    if (options.console & CONSOLE_SCREEN && !screen_show()) screen_later();
}

static bool on_screen; // what is put for COM1 is on the screen already

static void terminal_put(const void *bytes, size_t count) {
    serial_write(bytes, count); // only with CONSOLE_COM1 it was made ready
    for (size_t done = 0; !on_screen && options.console & CONSOLE_SCREEN && done < count;)
        done += screen_write((const char *)bytes + done, count - done);
    if (!on_screen) terminal_show_later();
}

static void terminal_got(u8 byte) {
    lock_take(&lock);
    int signal = tty_input(&tty, byte);
    lock_give(&lock);
    events->input(signal);
}

void terminal_init(const struct terminal_events *given, bool input) {
    tty_init(&tty, terminal_put);
    events = given;
    screen_begin();
    if (!input) {
        serial_begin(NULL, events->output);
        return;
    }
    bool serial = serial_begin(terminal_got, events->output);
    bool keys = options.console & CONSOLE_SCREEN && keyboard_on_input(terminal_got);
    no_input = !keys && !serial;
    if (no_input) log_error("terminal: nothing to type on; standard input is empty");
}

size_t terminal_read(struct tty_reader *reader, u8 *to, size_t bytes) {
    u64 now = time_now_ns();
    if (no_input) {
        reader->over = true;
        return 0;
    }
    lock_take(&lock);
    size_t count = tty_read(&tty, reader, to, bytes, now);
    lock_give(&lock);
    return count;
}

// The screen needs no carriage returns.
size_t terminal_write(const u8 *bytes, size_t count) {
    lock_take(&lock);
    if (options.console & CONSOLE_SCREEN) count = screen_write((const char *)bytes, count);
    on_screen = true;
    tty_output(&tty, bytes, count);
    on_screen = false;
    lock_give(&lock);
    return count;
}

bool terminal_shown(void) { return !(options.console & CONSOLE_SCREEN) || screen_show(); }

// The screen may copy and erase many cells for each byte.
u64 terminal_rounds(void) {
    if (options.console & CONSOLE_SCREEN) return 200000;
    return 4 * TERMINAL_PIECE;
}

// Each byte may be a newline, which becomes two.
bool terminal_writable(void) { return serial_has_room(TERMINAL_PIECE * 2); }

// Without the lock: what it sees may just have been read by another thread, as it may be after any
// answer.
bool terminal_readable(void) { return no_input || tty_readable(&tty); }

u64 terminal_settings(u32 request) {
    switch (request) {
    case TCSETS:
    case TCSETSW:
    case TCSETSF: return sizeof(struct termios);
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2: return sizeof(struct termios2);
    }
    return 0;
}

static s64 terminal_set(u32 request, const struct termios2 *settings) {
    struct termios common;
    if (request != TCSETS && request != TCSETS2 && !serial_is_empty()) return TERMINAL_WAITS;
    memcpy(&common, settings, sizeof common);
    lock_take(&lock);
    tty_set(&tty, &common, request == TCSETSF || request == TCSETSF2);
    if (terminal_settings(request) == sizeof *settings) {
        input_speed = settings->c_ispeed;
        output_speed = settings->c_ospeed;
    }
    lock_give(&lock);
    events->input(0); // what was typed may be readable by the new settings
    return 0;
}

// A struct termios2 is a struct termios with the speeds behind it.
_Static_assert(offsetof(struct termios2, c_ispeed) == sizeof(struct termios),
               "one is the other's beginning");

static s64 terminal_put_settings(u64 to) {
    struct termios2 settings = {.c_ispeed = input_speed, .c_ospeed = output_speed};
    memcpy(&settings, &tty.settings, sizeof tty.settings);
    return put_user(user(to), &settings, sizeof settings);
}

static s64 terminal_put_int(u64 to, int value) { return put_user(user(to), &value, sizeof value); }

static s64 terminal_put_count(u64 to) {
    lock_take(&lock);
    int count = (int)tty_waiting(&tty);
    lock_give(&lock);
    return terminal_put_int(to, count);
}

// musl's isatty() asks this. Nobody tells the size of a serial line.
static s64 terminal_put_size(u64 to) {
    struct winsize size = {0};
    if (options.console == CONSOLE_SCREEN) {
        size.ws_row = (u16)screen_rows();
        size.ws_col = (u16)screen_columns();
    }
    return put_user(user(to), &size, sizeof size);
}

s64 terminal_ioctl(u32 request, u64 arg, const struct termios2 *settings) {
    if (terminal_settings(request)) return terminal_set(request, settings);
    switch (request) {
    case TCGETS: return put_user(user(arg), &tty.settings, sizeof tty.settings);
    case TCGETS2: return terminal_put_settings(arg); // glibc's isatty() asks this from 2.42 on
    case TIOCGWINSZ: return terminal_put_size(arg);
    case FIONREAD: return terminal_put_count(arg);
    case TIOCOUTQ: return terminal_put_int(arg, (int)serial_waiting());
    case TCSBRK: // for output to leave; a break, which 0 asks for, is not sent
        if (!(int)arg) return 0;
        if (serial_is_empty()) return 0;
        return TERMINAL_WAITS;
    }
    return -ENOTTY;
}
