// The line discipline of a terminal (termios(3)): what a typed byte means, what is echoed, when a read has something.
// Pure: echo and output leave through a function, signals come back as a result.
#pragma once

#include <asm/termbits.h>
#include "kernel/lib/types.h"

#define TTY_RING 4096
#define TTY_WAIT (-1) // tty_read: nothing yet

struct tty {
    struct termios settings;
    void (*put)(const void *bytes, size_t count);
    u16 ring[TTY_RING];     // typed bytes, and TTY_END where ^D ended a line
    u32 read, ready, write; // free-running: [read, ready) can be read, [ready, write) is the line being edited
};

void tty_init(struct tty *tty, void (*put)(const void *bytes, size_t count));
void tty_set(struct tty *tty, const struct termios *settings, bool flush);
// One typed byte. The signal it means, or 0.
int tty_input(struct tty *tty, u8 byte);
// At most bytes of what is there: a line at most in canonical mode. 0: end of file.
s64 tty_read(struct tty *tty, u8 *to, size_t bytes);
u32 tty_readable(const struct tty *tty);
void tty_output(const struct tty *tty, const u8 *bytes, size_t count);
