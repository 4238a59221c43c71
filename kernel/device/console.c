// Bytes become cells: control characters, UTF-8, and of ECMA-48 what programs expect: colours,
// moving the cursor, erasing. All other sequences are swallowed.
#include "kernel/device/console.h"

#define TAB        8
#define NUMBER_MAX 9999
enum { TEXT, ESCAPE, CONTROL_SEQUENCE, SWALLOWED_SEQUENCE, STRING }; // ECMA-48 5.4

void console_erase(struct console *c, unsigned from, unsigned to) {
    u16 blank = (u16)(c->style.colours << 8 | ' ');
    for (unsigned at = from; at < to; at++) c->cells[c->top + at] = blank;
    if (to > from) c->work += to - from;
}

// There are more cells than are shown, so that rows need not be copied each time.
static void console_new_line(struct console *c) {
    unsigned size = c->rows * c->columns;
    c->column = 0;
    if (c->row + 1 < c->rows) {
        c->row++;
        return;
    }
    unsigned top = c->top + c->columns;
    if (top + size > c->capacity) {
        // A CPU that is stopped in here leaves a whole screen behind top.
        for (unsigned i = 0; i < size - c->columns; i++) c->cells[i] = c->cells[top + i];
        c->work += size;
        top = 0;
    }
    c->top = top;
    console_erase(c, size - c->columns, size);
}

// Bytes above 7f are UTF-8, which neither font has: one question mark for each character.
static void console_put_glyph(struct console *c, u8 byte) {
    if (byte == 0x7f || (byte >= 0x80 && byte < 0xc0)) return;
    if (byte >= 0x80) byte = '?';
    if (c->column == c->columns) console_new_line(c);
    c->cells[c->top + c->row * c->columns + c->column] = (u16)(c->style.colours << 8 | byte);
    c->column++;
}

// Up to the next stop, but never over the end of the line.
static void console_put_tab(struct console *c) {
    console_put_glyph(c, ' ');
    while (c->column % TAB != 0 && c->column < c->columns) console_put_glyph(c, ' ');
}

static void console_control_or_put(struct console *c, u8 byte) {
    switch (byte) {
    case '\n': console_new_line(c); break;
    case '\r':
        c->column = 0;
        c->style.moved = true;
        break;
    case '\b':
        if (c->column > 0) c->column--;
        break;
    case '\t': console_put_tab(c); break;
    case 0x1b: c->style.state = ESCAPE; break;
    default:
        if (byte >= ' ') console_put_glyph(c, byte);
    }
}

// ECMA-48 counts red, green, blue from bit 0 on, the adapter from bit 2 down.
static u8 console_colour(unsigned n) {
    unsigned red = n & 1;
    unsigned green = n >> 1 & 1;
    unsigned blue = n >> 2 & 1;
    return (u8)(red << 2 | green << 1 | blue);
}

// ECMA-48 8.3.117; 90 to 107 are the bright colours.
static void console_set_rendition(struct console_style *s, unsigned n) {
    switch (n) {
    case 0:
        s->front = COLOUR_PROGRAM;
        s->back = 0;
        s->bold = false;
        s->reverse = false;
        break;
    case 1: s->bold = true; break;
    case 7: s->reverse = true; break;
    case 22: s->bold = false; break;
    case 27: s->reverse = false; break;
    case 30 ... 37: s->front = console_colour(n - 30); break;
    case 39: s->front = COLOUR_PROGRAM; break;
    case 40 ... 47: s->back = console_colour(n - 40); break;
    case 49: s->back = 0; break;
    case 90 ... 97: s->front = console_colour(n - 90) | 8; break;
    case 100 ... 107: s->back = console_colour(n - 100); break;
    }
    unsigned front = s->front;
    if (s->bold) front |= 8;
    if (s->reverse)
        s->colours = (u8)((front & 7) << 4 | s->back);
    else
        s->colours = (u8)(s->back << 4 | front);
}

static void console_end_sequence(struct console *c, u8 final) {
    struct console_style *s = &c->style;
    unsigned first = s->parameters[0];
    unsigned second = 0;
    if (s->count) second = s->parameters[1];
    unsigned n = MAX(first, 1);
    unsigned start = c->row * c->columns;
    unsigned end = start + c->columns;
    unsigned at = start + c->column; // the cursor
    unsigned behind = MIN(at + 1, end);
    s->state = TEXT;
    if (final < 'J') {
        c->column = MIN(c->column, c->columns - 1);
        c->style.moved = true;
    }
    switch (final) {
    case 'A': c->row -= MIN(n, c->row); break;
    case 'B': c->row = MIN(c->row + n, c->rows - 1); break;
    case 'C': c->column = MIN(c->column + n, c->columns - 1); break;
    case 'D': c->column -= MIN(n, c->column); break;
    case 'H':
        c->row = MIN(n, c->rows) - 1;
        c->column = MIN(MAX(second, 1), c->columns) - 1;
        break;
    case 'J': start = 0; end = c->rows * c->columns; // fall through
    case 'K':
        if (first == 0) start = at;
        if (first == 1) end = behind;
        console_erase(c, start, end);
        break;
    case 'm': // behind 38 and 48 comes one of 256 colours or more
        for (u16 *p = s->parameters; p <= s->parameters + s->count && *p != 38 && *p != 48; p++)
            console_set_rendition(s, *p);
    }
}

static void console_in_sequence(struct console *c, struct console_style *s, u8 byte) {
    u16 *number = &s->parameters[s->count];
    if (byte >= 0x40)
        console_end_sequence(c, byte);
    else if (byte >= '0' && byte <= '9')
        *number = (u16)MIN(*number * 10 + byte - '0', NUMBER_MAX);
    else if (byte != ';')
        s->state = SWALLOWED_SEQUENCE; // private, or with intermediates
    else if (s->count < ARRAY_SIZE(s->parameters) - 1)
        s->parameters[++s->count] = 0;
    else
        *number = 0; // more parameters take the last one's place
}

// ESC, intermediates 20-2f, final byte; ESC [ up to its final byte; ESC ] up to BEL or the next
// ESC, whose backslash goes by itself. Control characters end them: a broken one costs a line at
// most.
static void console_feed(struct console *c, u8 byte) {
    struct console_style *s = &c->style;
    if (s->state == TEXT || byte < ' ') {
        s->state = TEXT;
        console_control_or_put(c, byte);
    } else if (s->state == ESCAPE) {
        if (byte >= 0x30) s->state = TEXT;
        if (byte == '[') s->state = CONTROL_SEQUENCE;
        if (byte == ']') s->state = STRING;
        s->count = 0;
        s->parameters[0] = 0;
    } else if (s->state == CONTROL_SEQUENCE) {
        console_in_sequence(c, s, byte);
    } else if (s->state == SWALLOWED_SEQUENCE && byte >= 0x40) {
        s->state = TEXT;
    }
}

// Most text is plain: what of it fits in the row goes there at once.
size_t console_write(struct console *c, const char *text, size_t bytes, unsigned most) {
    const char *begin = text;
    const char *end = text + bytes;
    unsigned before = c->work;
    while (text < end && c->work - before < most) {
        if (c->style.state == TEXT) {
            u16 colours = (u16)(c->style.colours << 8);
            volatile u16 *row = c->cells + c->top + c->row * c->columns;
            volatile u16 *at = row + c->column;
            volatile u16 *edge = row + c->columns;
            while (text < end && at < edge && *text >= ' ' && *text < 0x7f)
                *at++ = colours | (u8)*text++;
            c->column = (unsigned)(at - row);
            if (text == end) break;
        }
        console_feed(c, (u8)*text++);
    }
    return (size_t)(text - begin);
}
