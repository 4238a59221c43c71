// The text screen: 32 KiB of video memory, of which the CRT controller shows 25 rows from a start address. Scrolling
// moves that; video memory is slow, so rows are copied to its beginning only at its end, once in about 180 lines.
#include "kernel/device/devices.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"
#include "kernel/memory/window.h"

#define CRTC_INDEX  0x3d4 // colour adapter; data at + 1
#define CRTC_START  0x0c  // first cell shown, high byte; low byte behind it
#define CRTC_CURSOR 0x0e
#define CELLS       0x4000u // 32 KiB from TEXT_SCREEN
#define BLANK       0x0720u // grey on black, space
#define TAB         8
#define DRAWING_MAX (1u << 23) // a second or less

static volatile u16 *cells; // NULL: no text screen
static unsigned columns, rows;
static unsigned top;         // cell of the upper left corner
static unsigned row, column; // of the cursor; column == columns: the next character starts a new line
static enum { TEXT, ESCAPE, CONTROL_SEQUENCE, STRING } state; // ECMA-48 5.4

// Pairs of registers hold a cell's number, high byte first.
static unsigned crtc_read(u8 high) {
    outb(CRTC_INDEX, high);
    unsigned value = inb(CRTC_INDEX + 1) << 8;
    outb(CRTC_INDEX, high + 1);
    return value | inb(CRTC_INDEX + 1);
}

static void crtc_write(u8 high, unsigned cell) {
    outw(CRTC_INDEX, (u16)((cell & 0xff00) | high));
    outw(CRTC_INDEX, (u16)(cell << 8 | (high + 1u)));
}

static void scroll(void) {
    if (top + (rows + 1) * columns > CELLS) {
        for (unsigned i = columns; i < rows * columns; i++) cells[i - columns] = cells[top + i];
        top = 0;
    } else {
        top += columns;
    }
    for (unsigned i = 0; i < columns; i++) cells[top + (rows - 1) * columns + i] = BLANK;
}

static void new_line(void) {
    column = 0;
    if (row + 1 < rows) row++;
    else scroll();
}

// Bytes above 7f are UTF-8, which the adapter's font does not have: one question mark for each character.
static void put(u8 c) {
    if (c == 0x7f || (c >= 0x80 && c < 0xc0)) return;
    if (column == columns) new_line();
    cells[top + row * columns + column++] = (BLANK & 0xff00) | (c < 0x80 ? c : '?');
}

static void control_or_put(u8 c) {
    switch (c) {
    case '\n': new_line(); break;
    case '\r': column = 0; break;
    case '\b': column -= column > 0; break;
    case '\t':
        do put(' ');
        while (column % TAB != 0 && column < columns);
        break;
    case 0x1b: state = ESCAPE; break;
    default:
        if (c >= ' ') put(c);
    }
}

// Escape sequences are swallowed: ESC, intermediates 20-2f, final byte; ESC [ up to its final byte; ESC ] up to BEL or
// the next ESC, whose backslash goes by itself. Control characters end them: a broken one costs a line at most.
static void feed(u8 c) {
    if (state == TEXT || c < ' ') {
        state = TEXT;
        control_or_put(c);
    } else if (state == ESCAPE) {
        state = c == '[' ? CONTROL_SEQUENCE : c == ']' ? STRING : c < 0x30 ? ESCAPE : TEXT;
    } else if (state == CONTROL_SEQUENCE && c >= 0x40) {
        state = TEXT;
    }
}

// Goes on below what the BIOS and the loader wrote.
void screen_init(const struct boot_info *boot) {
    if (boot->text_columns == 0) return;
    columns = boot->text_columns;
    rows = boot->text_rows;
    bool fits = rows > 0 && columns * (rows + 1) <= CELLS;
    cells = fits ? window_map(TEXT_SCREEN, CELLS * sizeof(u16), WINDOW_DEVICE) : NULL;
    if (!cells) {
        log_error("screen: %u x %u characters not used: %s", columns, rows, fits ? "no memory to map it" : "too many");
        return;
    }
    top = crtc_read(CRTC_START);
    unsigned cursor = crtc_read(CRTC_CURSOR);
    if (top + rows * columns > CELLS || cursor - top >= rows * columns) top = cursor = 0;
    row = (cursor - top) / columns;
    column = (cursor - top) % columns;
}

unsigned screen_columns(void) { return cells ? columns : 0; }
unsigned screen_rows(void) { return cells ? rows : 0; }

// The log and the program's output come from any CPU. One that was stopped while it drew is not waited for.
void screen_write(const char *text, size_t bytes) {
    static bool drawing;
    if (!cells) return;
    for (u32 tries = DRAWING_MAX; __atomic_exchange_n(&drawing, true, __ATOMIC_ACQUIRE) && tries > 0; tries--)
        __builtin_ia32_pause();
    for (size_t i = 0; i < bytes; i++) feed((u8)text[i]);
    crtc_write(CRTC_START, top);
    crtc_write(CRTC_CURSOR, top + row * columns + (column < columns ? column : columns - 1));
    __atomic_store_n(&drawing, false, __ATOMIC_RELEASE);
}

void screen_log(const char *line, size_t bytes) {
    if (column > 0) screen_write("\n", 1);
    screen_write(line, bytes);
}
