// Bytes become cells: control characters, UTF-8, and of ECMA-48 what programs expect: colours, moving the cursor,
// erasing. All other sequences are swallowed.
#pragma GCC optimize("Os")
#include "kernel/device/console.h"

#define TAB        8
#define NUMBER_MAX 9999

enum { TEXT, ESCAPE, CONTROL_SEQUENCE, SWALLOWED_SEQUENCE, STRING }; // ECMA-48 5.4

void console_erase(struct console *c, unsigned from, unsigned to) {
    u16 blank = (u16)(c->style.colours << 8 | ' ');
    if (c->cells)
        for (volatile u16 *cell = c->cells + c->top + from, *end = c->cells + c->top + to; cell < end;) *cell++ = blank;
    else
        for (; from < to; from++) framebuffer_paint(from % c->columns, from / c->columns, blank);
}

// Memory for cells is mostly much larger than what is shown, so that rows are seldom copied. Without, nothing can be
// moved up: it goes on at the top.
static void new_line(struct console *c) {
    unsigned size = c->rows * c->columns;
    c->column = 0;
    if (++c->row < c->rows && c->cells) return;
    if (!c->cells) {
        c->row %= c->rows;
    } else {
        c->row--;
        if (c->top + size + c->columns > c->capacity) {
            for (unsigned i = c->columns; i < size; i++) c->cells[i - c->columns] = c->cells[c->top + i];
            c->top = 0;
        } else {
            c->top += c->columns;
        }
    }
    console_erase(c, c->row * c->columns, (c->row + 1) * c->columns);
}

// Bytes above 7f are UTF-8, which neither font has: one question mark for each character.
static void put(struct console *c, u8 byte) {
    if (byte == 0x7f || (byte >= 0x80 && byte < 0xc0)) return;
    if (c->column == c->columns) new_line(c);
    u16 cell = (u16)(c->style.colours << 8 | (byte < 0x80 ? byte : '?'));
    if (c->cells) c->cells[c->top + c->row * c->columns + c->column] = cell;
    else framebuffer_paint(c->column, c->row, cell);
    c->column++;
}

static void control_or_put(struct console *c, u8 byte) {
    switch (byte) {
    case '\n': new_line(c); break;
    case '\r': c->column = 0; break;
    case '\b': c->column -= c->column > 0; break;
    case '\t':
        do put(c, ' ');
        while (c->column % TAB != 0 && c->column < c->columns);
        break;
    case 0x1b: c->style.state = ESCAPE; break;
    default:
        if (byte >= ' ') put(c, byte);
    }
}

// ECMA-48 counts red, green, blue from bit 0 on, the adapter from bit 2 down.
static u8 colour(unsigned n) { return (u8)((n & 2) | (n & 1) << 2 | (n >> 2 & 1)); }

static void set_rendition(struct console_style *s, unsigned n) { // ECMA-48 8.3.117; 90-107 are the bright ones
    if (n == 0) s->front = COLOUR_PROGRAM, s->back = 0, s->bold = s->reverse = false;
    else if (n == 1 || n == 22) s->bold = n == 1;
    else if (n == 7 || n == 27) s->reverse = n == 7;
    else if (n == 39) s->front = COLOUR_PROGRAM;
    else if (n == 49) s->back = 0;
    else if (n >= 30 && n <= 37) s->front = colour(n - 30);
    else if (n >= 90 && n <= 97) s->front = colour(n - 90) | 8;
    else if ((n >= 40 && n <= 47) || (n >= 100 && n <= 107)) s->back = colour(n % 10);
    u8 front = (u8)(s->front | (s->bold ? 8 : 0));
    s->colours = s->reverse ? (u8)((front & 7) << 4 | s->back) : (u8)(s->back << 4 | front);
}

static void erase_part(struct console *c, unsigned which, unsigned start, unsigned end) {
    unsigned at = c->row * c->columns + c->column;
    if (which == 0) start = at;
    if (which == 1) end = MIN(at + 1, end);
    if (which < 4) console_erase(c, start, end);
}

static void end_sequence(struct console *c, u8 final) {
    struct console_style *s = &c->style;
    unsigned first = s->parameters[0], second = s->count ? s->parameters[1] : 0, n = MAX(first, 1);
    unsigned line = c->row * c->columns;
    s->state = TEXT;
    if (final >= 'A' && final <= 'H') c->column = MIN(c->column, c->columns - 1);
    switch (final) {
    case 'A': c->row -= MIN(n, c->row); break;
    case 'B': c->row = MIN(c->row + n, c->rows - 1); break;
    case 'C': c->column = MIN(c->column + n, c->columns - 1); break;
    case 'D': c->column -= MIN(n, c->column); break;
    case 'G': c->column = MIN(n, c->columns) - 1; break;
    case 'H':
        c->row = MIN(n, c->rows) - 1;
        c->column = MIN(MAX(second, 1), c->columns) - 1;
        break;
    case 'J': erase_part(c, first, 0, c->rows * c->columns); break;
    case 'K': erase_part(c, first, line, line + c->columns); break;
    case 'm':
        for (unsigned i = 0; i <= s->count; i++) {
            if (s->parameters[i] == 38 || s->parameters[i] == 48) break; // one of 256 colours or more follows
            set_rendition(s, s->parameters[i]);
        }
    }
}

static void in_sequence(struct console *c, u8 byte) {
    struct console_style *s = &c->style;
    u16 *number = &s->parameters[s->count];
    if (byte >= 0x40) end_sequence(c, byte);
    else if (byte == ';') s->parameters[s->count += s->count < PARAMETERS - 1] = 0;
    else if (byte >= '0' && byte <= '9') *number = (u16)MIN(*number * 10 + byte - '0', NUMBER_MAX);
    else s->state = SWALLOWED_SEQUENCE; // private, or with intermediates
}

// ESC, intermediates 20-2f, final byte; ESC [ up to its final byte; ESC ] up to BEL or the next ESC, whose backslash
// goes by itself. Control characters end them: a broken one costs a line at most.
static void feed(struct console *c, u8 byte) {
    struct console_style *s = &c->style;
    if (s->state == TEXT || byte < ' ') {
        s->state = TEXT;
        control_or_put(c, byte);
    } else if (s->state == ESCAPE) {
        s->state = byte == '[' ? CONTROL_SEQUENCE : byte == ']' ? STRING : byte < 0x30 ? ESCAPE : TEXT;
        s->count = 0;
        s->parameters[0] = 0;
    } else if (s->state == CONTROL_SEQUENCE) {
        in_sequence(c, byte);
    } else if (s->state == SWALLOWED_SEQUENCE && byte >= 0x40) {
        s->state = TEXT;
    }
}

// Most text is plain: what of it fits in the row goes there at once.
void console_write(struct console *c, const char *text, size_t bytes) {
    for (const char *end = text + bytes; text < end;) {
        if (c->cells && c->style.state == TEXT && c->column < c->columns) {
            volatile u16 *cell = c->cells + c->top + c->row * c->columns;
            u16 colours = (u16)(c->style.colours << 8);
            unsigned column = c->column;
            while (text < end && column < c->columns && *text >= ' ' && *text < 0x7f)
                cell[column++] = colours | (u8)*text++;
            c->column = column;
            if (text == end) return;
        }
        feed(c, (u8)*text++);
    }
}
