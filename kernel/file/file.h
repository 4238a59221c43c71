// What open files can be: the terminal (COM1, screen and keyboard), a few texts made on reading, the framebuffer. All
// copy to and from program memory: bytes done, 0 at the end, a negative errno, or TTY_WAIT with nothing done.
#pragma once

#include <asm/errno.h>
#include <asm/termbits.h>
#include "boot/bootinfo.h"
#include "kernel/cpu/trap.h"

// ---- tty.c: the line discipline of a terminal (termios(3)) ----
#define TTY_RING 4096
#define TTY_WAIT (-100000) // no error number: nothing to read yet

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

// ---- terminal.c ----
// typed: called in interrupt context when a read may have something, with a key's signal or 0. NULL: there is no input.
void terminal_init(void (*typed)(int signal));
s64 terminal_read(u64 to, u64 bytes);
s64 terminal_write(u64 from, u64 bytes);
bool terminal_readable(void); // a read would not wait
s64 terminal_ioctl(u32 request, u64 arg);

// ---- texts.c ----
void texts_init(const struct boot_info *boot);
int text_find(const char *path); // -1: none
s64 text_read(int text, u64 to, u64 bytes, u64 offset);
void timeline_log(void); // what the boot took, stage by stage

// ---- fb0.c: /dev/fb0; only when there is a screen_framebuffer() ----
s64 fb0_copy(u64 user, u64 bytes, u64 *offset, bool write); // at an offset that it moves on; write: from the program
s64 fb0_ioctl(u32 request, u64 arg);
// The physical address of so many bytes of its pages; 0: it has not that many.
u64 fb0_pages(u64 offset, u64 bytes);

static inline s64 put_user(u64 to, const void *from, u64 bytes) { return copy_to_user(to, from, bytes) ? 0 : -EFAULT; }
