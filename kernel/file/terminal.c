// The terminal: COM1, and screen and keyboard, or one of these (console=), behind the line discipline. Bytes come in by
// interrupt, on the boot CPU.
#include <asm/ioctls.h>
#include <asm/termios.h>
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/lock.h"
#include "kernel/device/devices.h"
#include "kernel/file/file.h"
#include "kernel/kernel.h"

#define CHUNK 4096 // what one write has in one piece, as for a pipe

static struct tty tty;
static struct lock lock; // of tty, and of what leaves through it
static void (*on_typed)(int signal);
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
    on_typed(signal);
}

void terminal_init(void (*typed)(int signal)) {
    tty_init(&tty, put);
    on_typed = typed;
    if (!typed) return;
    bool keys = options.console & CONSOLE_SCREEN && keyboard_on_input(got), serial = serial_on_input(got);
    no_input = !keys && !serial;
    if (no_input) log_error("terminal: nothing to type on; standard input is empty");
}

s64 terminal_read(u64 to, u64 bytes) {
    u8 chunk[TTY_RING]; // a line at most
    if (no_input) return 0;
    take();
    s64 count = tty_read(&tty, chunk, bytes < sizeof chunk ? bytes : sizeof chunk);
    lock_give(&lock);
    return count > 0 && !copy_to_user(to, chunk, (u64)count) ? -EFAULT : count;
}

s64 terminal_write(u64 from, u64 bytes) {
    u8 chunk[CHUNK];
    for (u64 done = 0, part; done < bytes; done += part) {
        part = bytes - done < sizeof chunk ? bytes - done : sizeof chunk;
        if (!copy_from_user(chunk, from + done, part)) return done ? (s64)done : -EFAULT;
        take();
        tty_output(&tty, chunk, part);
        lock_give(&lock);
    }
    return (s64)bytes;
}

// Without the lock: what it sees may just have been read by another thread, as it may be after any answer.
bool terminal_readable(void) { return no_input || tty_readable(&tty); }

s64 terminal_ioctl(u32 request, u64 arg) {
    struct winsize size = {0}; // nobody told us, as on any serial line
    struct termios settings;
    switch (request) {
    case TCGETS: return put_user(arg, &tty.settings, sizeof tty.settings);
    case TIOCGWINSZ: // musl's isatty() asks this
        if (options.console == CONSOLE_SCREEN) size.ws_row = (u16)screen_rows(), size.ws_col = (u16)screen_columns();
        return put_user(arg, &size, sizeof size);
    case TCSETS:
    case TCSETSW: // output is written before the call that gives it returns
    case TCSETSF:
        if (!copy_from_user(&settings, arg, sizeof settings)) return -EFAULT;
        take();
        tty_set(&tty, &settings, request == TCSETSF);
        lock_give(&lock);
        return 0;
    }
    return -ENOTTY;
}
