// Cells as pixels. Video memory is never read, it is slower than a disk; what is shown is
// remembered instead.
#include "kernel/device/console.h"
#include "kernel/lib/string.h"

// From ' ' on; bit 7 is the left pixel.
static const u8 font[][FONT_HEIGHT] = {
#include "out/font.inc"
};

#define COMPARED 64 // cells, in the time that one takes to be painted

static struct boot_framebuffer frame;
static volatile u8 *pixels;
static u32 colours[16];

void framebuffer_init(const struct boot_framebuffer *framebuffer, void *memory) {
    frame = *framebuffer;
    pixels = memory;
    for (unsigned n = 0; n < ARRAY_SIZE(colours); n++) {
        u32 least = 0x55 * (n >> 3 & 1); // of the bright ones
        u32 red = least + 0xaa * (n >> 2 & 1);
        u32 green = least + 0xaa * (n >> 1 & 1);
        u32 blue = least + 0xaa * (n & 1);
        colours[n] = red >> (8 - frame.red_bits) << frame.red_at |
                     green >> (8 - frame.green_bits) << frame.green_at |
                     blue >> (8 - frame.blue_bits) << frame.blue_at;
    }
}

void framebuffer_clear(void) {
    for (unsigned y = 0; y < frame.height; y++)
        memset((u8 *)pixels + (u64)y * frame.pitch, 0, frame.width * frame.bits / 8u);
}

// Paints a cell. Eight pixels, which are a row of it, of so many bytes each are as many quadwords.
static void framebuffer_paint(unsigned column, unsigned row, u16 cell) {
    u32 bytes = frame.bits / 8;
    u32 front = colours[cell >> 8 & 15];
    u32 back = colours[cell >> 12 & 7];
    const u8 *glyph = font[(cell & 0xff) - ' '];
    volatile u8 *to =
        pixels + (u64)row * FONT_HEIGHT * frame.pitch + (u64)column * FONT_WIDTH * bytes;
    for (unsigned y = 0; y < FONT_HEIGHT; y++, to += frame.pitch) {
        u8 line[FONT_WIDTH * 4 + 4];
        for (unsigned x = 0; x < FONT_WIDTH; x++) {
            u32 pixel = back;
            if (glyph[y] & 0x80 >> x) pixel = front;
            *(loose_u64 *)(line + x * bytes) = pixel;
        }
        for (unsigned i = 0; i < bytes; i++)
            ((volatile loose_u64 *)to)[i] = ((const loose_u64 *)line)[i];
    }
}

// Paints the cells of a row that are not shown yet. Returns how many those were.
static unsigned framebuffer_show_row(const struct console *c, unsigned row, u16 *shown) {
    volatile u16 *cell = c->cells + c->top + row * c->columns;
    unsigned painted = 0;
    unsigned cursor = c->columns; // in no column
    if (row == c->row) cursor = MIN(c->column, c->columns - 1);
    if (cursor == c->columns && memcmp((const u16 *)cell, shown, c->columns * sizeof(u16)) == 0)
        return 0;
    for (unsigned column = 0; column < c->columns; column++) {
        u16 wanted = cell[column];
        if (column == cursor) wanted ^= CURSOR_COLOURS;
        if (wanted == shown[column]) continue;
        framebuffer_paint(column, row, wanted);
        shown[column] = wanted;
        painted++;
    }
    return painted;
}

// Draws the cursor, and the cells that are not in shown, which has as many as the screen; no cell
// is 0. At most so many cells at a time: false, and it goes on there the next time.
bool framebuffer_show(const struct console *c, u16 *shown, unsigned most) {
    static unsigned next; // row
    unsigned rows = 0;
    unsigned work = 0;
    for (; rows < c->rows && work < most; rows++) {
        next++;
        if (next >= c->rows) next = 0;
        work += c->columns / COMPARED + framebuffer_show_row(c, next, shown + next * c->columns);
    }
    return rows == c->rows;
}
