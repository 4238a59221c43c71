// The screen's text, one for both kinds of screen: console.c turns bytes into cells; framebuffer.c
// draws cells. Pure but for the memory they are given.
#pragma once

#include "boot/bootinfo.h"

// Attributes as the VGA adapter has them: background in bits 4-6, foreground in 0-3, each blue,
// green, red, bright.
#define COLOUR_LOG     0x07
#define COLOUR_ERROR   0x0c
#define COLOUR_PROGRAM 0x0f
#define CURSOR_COLOURS 0x7700 // what a cell with the cursor has inverted
#define FONT_WIDTH     8
#define FONT_HEIGHT    16

// What a writer has set and left unfinished.
struct console_style {
    u8 colours, front, back; // an attribute, and what it is made of
    bool bold, reverse;
    bool moved;        // the cursor, other than by text: right of it there may be something
    u8 state, count;   // of the escape sequence; of its parameters that are over
    u16 parameters[8]; // more take the last one's place
};
// the first one
#define CONSOLE_STYLE(attribute)                                                                   \
    ((struct console_style){.colours = (attribute), .front = (attribute)})

struct console {
    volatile u16 *cells;         // attribute << 8 | character
    unsigned capacity;           // of cells, at least one row more than is shown
    unsigned columns, rows, top; // top: cell of the upper left corner
    unsigned row, column; // of the cursor; column == columns: the next character starts a new line
    struct console_style style;
    unsigned work; // cells that were erased or copied so far
};

// Stops behind the byte with which its work comes to most. Returns how many bytes were taken.
size_t console_write(struct console *console, const char *text, size_t bytes, unsigned most);
// Cells [from, to), counted from the upper left corner.
void console_erase(struct console *console, unsigned from, unsigned to);

// ---- framebuffer.c ----
// memory: where framebuffer.address is mapped, pitch * height bytes; only written.
void framebuffer_init(const struct boot_framebuffer *framebuffer, void *memory);
void framebuffer_clear(void);
bool framebuffer_show(const struct console *console, u16 *shown, unsigned most); // true: all of it
