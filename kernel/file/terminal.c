// The terminal: COM1, whose output the screen shows too, behind the line discipline. Bytes come in by interrupt.
#include <asm/ioctls.h>
#include <asm/termios.h>
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/lock.h"
#include "kernel/device/devices.h"
#include "kernel/file/file.h"

#define CHUNK 4096 // what one write has in one piece, as for a pipe

static struct tty tty;
static struct lock lock; // of tty, and of what leaves through it
static void (*on_typed)(int signal);

static void put(const void *bytes, size_t count) {
    serial_write(bytes, count);
    screen_write(bytes, count);
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
    if (typed) serial_on_input(got);
}

s64 terminal_read(u64 to, u64 bytes) {
    u8 chunk[TTY_RING]; // a line at most
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
        take();
        tty_set(&tty, &settings, request == TCSETSF);
        lock_give(&lock);
        return 0;
    }
    return -ENOTTY;
}
