// The terminal: COM1, whose output the screen shows too, behind the line discipline. Bytes come in by interrupt.
#include <asm/errno.h>
#include <asm/ioctls.h>
#include <asm/termios.h>
#include "kernel/cpu/trap.h"
#include "kernel/device/devices.h"
#include "kernel/file/file.h"
#include "kernel/file/tty.h"

#define CHUNK 512 // bytes copied at a time, on the kernel's stack

static struct tty tty;
static struct file_events events;
static struct winsize size; // zeroes: nobody told us, as on any serial line

static void put(const void *bytes, size_t count) {
    serial_write(bytes, count);
    screen_write(bytes, count);
}

// In interrupt context.
static void got(u8 byte) {
    int signal = tty_input(&tty, byte);
    if (signal) events.signal(signal);
    events.wake();
}

void terminal_init(const struct file_events *given, bool has_input) {
    events = *given;
    tty_init(&tty, put);
    if (has_input) serial_on_input(got);
}

s64 terminal_read(u64 to, u64 bytes) {
    u8 chunk[CHUNK];
    s64 count = tty_read(&tty, chunk, bytes < CHUNK ? bytes : CHUNK);
    if (count == TTY_WAIT) return FILE_WAITS;
    return copy_to_user(to, chunk, (u64)count) ? count : -EFAULT;
}

s64 terminal_write(u64 from, u64 bytes) {
    u8 chunk[CHUNK];
    for (u64 done = 0, part; done < bytes; done += part) {
        part = bytes - done < CHUNK ? bytes - done : CHUNK;
        if (!copy_from_user(chunk, from + done, part)) return done ? (s64)done : -EFAULT;
        tty_output(&tty, chunk, part);
    }
    return (s64)bytes;
}

u64 terminal_readable(void) { return tty_readable(&tty); }

s64 terminal_ioctl(u32 request, u64 arg) {
    struct termios settings;
    int group = 1;
    switch (request) {
    case TCGETS: return copy_to_user(arg, &tty.settings, sizeof tty.settings) ? 0 : -EFAULT;
    case TCSETS:
    case TCSETSW: // output is written before the call that gives it returns
    case TCSETSF:
        if (!copy_from_user(&settings, arg, sizeof settings)) return -EFAULT;
        tty_set(&tty, &settings, request == TCSETSF);
        return 0;
    case TCFLSH:
        if (arg != TCOFLUSH) tty_set(&tty, &tty.settings, true);
        return 0;
    case TIOCGWINSZ: return copy_to_user(arg, &size, sizeof size) ? 0 : -EFAULT;
    case TIOCSWINSZ: return copy_from_user(&size, arg, sizeof size) ? 0 : -EFAULT;
    case TIOCGPGRP: return copy_to_user(arg, &group, sizeof group) ? 0 : -EFAULT;
    case TIOCSPGRP: return 0;
    }
    return -ENOTTY;
}
