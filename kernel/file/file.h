// What files can be: the terminal (COM1, screen and keyboard), standard input from the image,
// a few texts made on reading, the framebuffer, and directories.
#pragma once

#include <asm/errno.h>
#include <asm/termbits.h>
#include "boot/bootinfo.h"
#include "kernel/lib/address.h"
#include "kernel/thread/record.h"

enum file_kind {
    FILE_CLOSED,
    FILE_TERMINAL,
    FILE_INPUT,
    FILE_TEXT,
    FILE_FRAMEBUFFER,
    FILE_ZERO,
    FILE_DIRECTORY,
    FILE_PIPE
};

// ---- path.c: the tree ----
enum { TEXT_IOMEM, TEXT_MEMINFO, TEXT_VMOS };
enum { NODE_PROC = 1, NODE_FB0 = 3, NODE_ZERO, NODE_TEXT }; // and one for each text

struct path_end {
    s64 node;       // the one that the path names, or -ENOENT, -ENOTDIR or -ENAMETOOLONG
    u32 directory;  // where the last name that was looked for is, or would be
    bool is_last;   // nothing but slashes follows that name,
    bool has_slash; // and one does
};
// Relative paths count from a node.
struct path_end path_walk(const char *path, u32 from);
u8 node_kind(u32 node);                                         // FILE_*
#define NODE_NAME 10                                            // bytes, with the NUL
s64 path_list(u32 directory, u64 *place, char name[NODE_NAME]); // what a directory has

// ---- tty.c: the line discipline of a terminal (termios(3)) ----
#define TTY_RING 4096

struct tty {
    struct termios settings;
    void (*put)(const void *bytes, size_t count);
    u16 ring[TTY_RING]; // typed bytes, and TTY_END where ^D ended a line
    // Free-running: [read, ready) can be read, [ready, write) is the line that is being edited.
    u32 read, ready, write;
};

void tty_init(struct tty *tty, void (*put)(const void *bytes, size_t count));
void tty_set(struct tty *tty, const struct termios *settings, bool flush);
// One typed byte. The signal it means, or 0.
int tty_input(struct tty *tty, u8 byte);

// Takes what is there, at most bytes of it, and in canonical mode at most a line. Returns how many
// bytes that was.
size_t tty_read(struct tty *tty, struct tty_reader *reader, u8 *to, size_t bytes, u64 now);
bool tty_readable(const struct tty *tty); // as poll(2) sees it
u32 tty_waiting(const struct tty *tty);   // bytes that FIONREAD counts
void tty_output(const struct tty *tty, const u8 *bytes, size_t count);

// ---- terminal.c ----
#define TERMINAL_PIECE 4096      // bytes: what one write has in one piece, as for a pipe
#define TERMINAL_WAITS (-100001) // no error number: the output that is under way has to leave first

// Called when something may have become true that somebody waits for; in interrupts, too.
struct terminal_events {
    // There is more to read, or another way to read it; with a key's signal, or 0.
    void (*input)(int signal);
    void (*output)(void); // there is room for a piece, or all has left
};
// input: whether there is any.
void terminal_init(const struct terminal_events *events, bool input);
size_t terminal_read(struct tty_reader *reader, u8 *to, size_t bytes);
// Takes what it has time for, at most TERMINAL_PIECE bytes, when terminal_writable(). Returns how
// many that was.
size_t terminal_write(const u8 *bytes, size_t count);
bool terminal_shown(void); // what was written is on the screen; else this was a step towards it
void terminal_show_later(void); // the other steps are left to another
u64 terminal_rounds(void);      // instructions, or rounds of one, that a piece may take
bool terminal_readable(void);
bool terminal_writable(void); // there is room for a piece; else output() is called
// Bytes that a TCSETS, a TCSETS2 or its like brings; 0: this is none of them.
u64 terminal_settings(u32 request);
// settings: those bytes, copied in.
s64 terminal_ioctl(u32 request, u64 arg, const struct termios2 *settings);

// ---- texts.c ----
void texts_init(const struct boot_info *boot);
s64 text_read(int text, uaddr to, u64 bytes, u64 offset);
void timeline_log(void); // what the boot took, stage by stage

// ---- fb0.c: /dev/fb0; only when there is a screen_framebuffer() ----
s64 fb0_copy(uaddr program, u64 bytes, u64 offset, bool write); // write: from the program
s64 fb0_ioctl(u32 request, u64 arg);
// The physical address of so many bytes of its pages; 0: it has not that many.
paddr fb0_pages(u64 offset, u64 bytes);
