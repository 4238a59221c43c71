// The terminal: COM1, and screen and keyboard, or one of these (console=), behind the line discipline. Bytes come in by
// interrupt, on the boot CPU.
#include <asm/ioctls.h>
#include <asm/termios.h>
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/lock.h"
#include "kernel/cpu/time.h"
#include "kernel/device/devices.h"
#include "kernel/file/file.h"
#include "kernel/kernel.h"

static struct tty tty;
static struct lock lock; // of tty, and of what leaves through it
static const struct terminal_events *events;
static bool no_input; // every read is at the end

static void put(const void *bytes, size_t count) {
    serial_write(bytes, count); // only with CONSOLE_COM1 it was made ready
    if (options.console & CONSOLE_SCREEN) screen_write(bytes, count);
}

// Whoever reads at the other end may pause for as long as serial_write() allows, which is too long for lock_take().
static void take(void) {
    while (!lock_try(&lock)) cpu_serve();
}

static void got(u8 byte) {
    take();
    int signal = tty_input(&tty, byte);
    lock_give(&lock);
    events->input(signal);
}

void terminal_init(const struct terminal_events *given, bool input) {
    tty_init(&tty, put);
    events = given;
    if (!input) return;
    bool keys = options.console & CONSOLE_SCREEN && keyboard_on_input(got), serial = serial_on_input(got);
    no_input = !keys && !serial;
    if (no_input) log_error("terminal: nothing to type on; standard input is empty");
}

size_t terminal_read(struct tty_reader *reader, u8 *to, size_t bytes) {
    u64 now = time_now_ns();
    if (no_input) {
        reader->over = true;
        return 0;
    }
    take();
    size_t count = tty_read(&tty, reader, to, bytes, now);
    lock_give(&lock);
    return count;
}

void terminal_write(const u8 *bytes, size_t count) {
    take();
    tty_output(&tty, bytes, count);
    lock_give(&lock);
}

// Without the lock: what it sees may just have been read by another thread, as it may be after any answer.
bool terminal_readable(void) { return no_input || tty_readable(&tty); }

static s64 set(u32 request, const struct termios *settings) {
    take();
    tty_set(&tty, settings, request == TCSETSF);
    lock_give(&lock);
    events->input(0); // what was typed may be readable by the new settings
    return 0;
}

static s64 put_count(u64 to) {
    take();
    int count = (int)tty_waiting(&tty);
    lock_give(&lock);
    return put_user(to, &count, sizeof count);
}

static s64 put_size(u64 to) {  // musl's isatty() asks this
    struct winsize size = {0}; // nobody told us, as on any serial line
    if (options.console == CONSOLE_SCREEN) {
        size.ws_row = (u16)screen_rows();
        size.ws_col = (u16)screen_columns();
    }
    return put_user(to, &size, sizeof size);
}

s64 terminal_ioctl(u32 request, u64 arg, const struct termios *settings) {
    switch (request) {
    case TCGETS: return put_user(arg, &tty.settings, sizeof tty.settings);
    case TIOCGWINSZ: return put_size(arg);
    case FIONREAD: return put_count(arg);
    case TCSETS:
    case TCSETSW: // output is written before the call that gives it returns
    case TCSETSF: return set(request, settings);
    }
    return -ENOTTY;
}
