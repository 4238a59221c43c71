// Fuzz target for the console: any bytes, in pieces, as the program's output or the log's, to a
// framebuffer of a size that the first bytes say. Nothing outside its pixels and its cells is
// touched, and the cursor stays on the screen.
#include <stdlib.h>
#include <string.h>

#include "kernel/device/console.c"
#include "kernel/device/framebuffer.c"

#define PROMISE(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    if (size < 4) return 0;
    struct boot_framebuffer f = {.width = (u16)(8 + data[0]),
                                 .height = (u16)(16 + data[1]),
                                 .red_bits = 5,
                                 .green_bits = 6,
                                 .blue_bits = 5,
                                 .green_at = 5,
                                 .red_at = 11};
    f.bits = (u8)(16 + 8 * (data[2] % 3));
    f.pitch = f.width * f.bits / 8u + data[3];
    unsigned cells = (f.width / 8u) * (f.height / 16u);
    void *memory = malloc((size_t)f.pitch *
                          f.height); // exactly, as the cells: the sanitizer sees what lies outside
    u16 *text = malloc(2 * cells * sizeof(u16)), *shown = calloc(cells, sizeof(u16));
    struct console c = {text, 2 * cells, f.width / 8u, f.height / 16u,
                        .style = CONSOLE_STYLE(COLOUR_PROGRAM)};
    framebuffer_init(&f, memory);
    framebuffer_clear();
    console_erase(&c, 0, cells);
    for (size_t at = 4, piece; at < size; at += piece) {
        piece = 1 + data[at] % 64;
        if (piece > size - at) piece = size - at;
        console_write(&c, (const char *)data + at, piece, UINT32_MAX);
        framebuffer_show(&c, shown, UINT32_MAX);
        PROMISE(c.row < c.rows && c.column <= c.columns && c.top + cells <= c.capacity);
        PROMISE(c.style.count < ARRAY_SIZE(c.style.parameters) && !(c.style.colours & 0x80));
    }
    for (unsigned i = 0; i < cells; i++) {
        u8 character = (u8)text[c.top + i];
        PROMISE(character >= ' ' && character < 0x7f);
    }
    free(memory);
    free(text);
    free(shown);
    return 0;
}
