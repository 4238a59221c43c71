// Open files and the numbers the program knows them by. There are three kinds: the terminal (COM1 and the screen), the
// standard input that travelled in the image, and a few texts made on reading. Nothing can be created.
#pragma once

#include <asm/stat.h>
#include "boot/bootinfo.h"

#define FILES_MAX  64
#define FILE_WAITS (-100000) // no error number: nothing to read yet, execute the call anew when woken

enum file_kind { FILE_FREE, FILE_TERMINAL, FILE_INPUT, FILE_TEXT };

struct file {
    enum file_kind kind;
    u32 references; // file numbers that mean it
    u32 flags;      // O_ACCMODE and O_NONBLOCK
    bool is_tty;    // a terminal that says so; else it looks like a pipe
    int text;       // which one
    u64 offset;
};

// What rooms above want to know.
struct file_events {
    void (*wake)(void);         // a read may have something now
    void (*signal)(int signal); // a key that means a signal
};

// Opens 0, 1 and 2: standard input as the image has it, output on COM1 and the screen. output_is_tty: 1 and 2 are a
// terminal although 0 is none.
void files_init(const struct boot_info *boot, const struct file_events *events, bool output_is_tty);

struct file *file_at(int fd); // NULL: not open
// Opens a text that text_find found; its number, or a negative errno.
int file_open_text(int text, u32 flags);
// Another number, not below lowest, for an open file.
int file_duplicate(struct file *file, int lowest);
int file_close(int fd);

// To and from program memory. Bytes done, 0 at the end, a negative errno, or FILE_WAITS with nothing done.
s64 file_read(struct file *file, u64 to, u64 bytes);
s64 file_write(struct file *file, u64 from, u64 bytes);
s64 file_read_at(struct file *file, u64 to, u64 bytes, u64 offset);
s64 file_seek(struct file *file, s64 offset, int whence);
s64 file_ioctl(struct file *file, u32 request, u64 arg);
bool file_readable(const struct file *file); // a read would not wait
void file_stat(const struct file *file, struct stat *to);

// ---- terminal.c ----
void terminal_init(const struct file_events *events, bool has_input);
s64 terminal_read(u64 to, u64 bytes);
s64 terminal_write(u64 from, u64 bytes);
u64 terminal_readable(void); // bytes, or 1 for an end of file
s64 terminal_ioctl(u32 request, u64 arg);

// ---- texts.c ----
void texts_init(const struct boot_info *boot);
int text_find(const char *path); // -1: none
s64 text_read(int text, u64 to, u64 bytes, u64 offset);
