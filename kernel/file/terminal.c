// The terminal: COM1, whose output the screen shows too, behind the line discipline. Bytes come in by interrupt.
#include <asm/ioctls.h>
#include <asm/termios.h>
#include "kernel/device/devices.h"
#include "kernel/file/file.h"

static struct tty tty;
static void (*on_typed)(int signal);

static void put(const void *bytes, size_t count) {
    serial_write(bytes, count);
    screen_write(bytes, count);
}

static void got(u8 byte) { on_typed(tty_input(&tty, byte)); }

void terminal_init(void (*typed)(int signal)) {
    tty_init(&tty, put);
    on_typed = typed;
    if (typed) serial_on_input(got);
}

s64 terminal_read(u64 to, u64 bytes) {
    u8 chunk[TTY_RING]; // a line at most
    s64 count = tty_read(&tty, chunk, bytes < sizeof chunk ? bytes : sizeof chunk);
    return count > 0 && !copy_to_user(to, chunk, (u64)count) ? -EFAULT : count;
}

s64 terminal_write(u64 from, u64 bytes) {
    u8 chunk[512];
    for (u64 done = 0, part; done < bytes; done += part) {
        part = bytes - done < sizeof chunk ? bytes - done : sizeof chunk;
        if (!copy_from_user(chunk, from + done, part)) return done ? (s64)done : -EFAULT;
        tty_output(&tty, chunk, part);
    }
    return (s64)bytes;
}

bool terminal_readable(void) { return tty_readable(&tty); }

s64 terminal_ioctl(u32 request, u64 arg) {
    static const struct winsize size; // zeroes: nobody told us, as on any serial line
    struct termios settings;
    switch (request) {
    case TCGETS: return put_user(arg, &tty.settings, sizeof tty.settings);
    case TIOCGWINSZ: return put_user(arg, &size, sizeof size); // musl's isatty() asks this
    case TCSETS:
    case TCSETSW: // output is written before the call that gives it returns
    case TCSETSF:
        if (!copy_from_user(&settings, arg, sizeof settings)) return -EFAULT;
        tty_set(&tty, &settings, request == TCSETSF);
        return 0;
    }
    return -ENOTTY;
}
