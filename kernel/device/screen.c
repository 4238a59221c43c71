// The screen: VGA text or a framebuffer under one console. Of the 32 KiB of video memory in text mode the CRT
// controller shows 25 rows from a start address, and scrolling moves that. A framebuffer has its cells in RAM; until
// there is RAM to be had, as in the low stage, text is drawn at once and goes on at the top when the screen is full.
#pragma GCC optimize("Os")
#include "kernel/cpu/x86.h"
#include "kernel/device/console.h"
#include "kernel/device/devices.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/window.h"

#define CRTC_INDEX  0x3d4 // colour adapter; data at + 1
#define CRTC_START  0x0c  // first cell shown, high byte; low byte behind it
#define CRTC_CURSOR 0x0e
#define TEXT_CELLS  0x4000u // 32 KiB from TEXT_SCREEN
#define COLUMNS_MAX 1024u   // of a framebuffer: three screens of cells fit in a frame
#define ROWS_MAX    340u
#define DRAWING_MAX (1u << 23) // a second or less

static struct console console = {.style = CONSOLE_STYLE(COLOUR_PROGRAM)};
static enum { NOTHING, VGA_TEXT, FRAMEBUFFER } kind;
static struct boot_framebuffer framebuffer;
static u16 *shown;   // of the framebuffer's cells; NULL: no memory for cells
static bool yielded; // a program draws
static bool drawing;

// Text without memory for it is lost while a program draws.
static bool silent(void) { return kind == NOTHING || (yielded && !shown); }

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

// Goes on below what the BIOS and the loader wrote.
static void text_init(unsigned columns, unsigned rows) {
    bool fits = rows > 0 && columns * (rows + 1) <= TEXT_CELLS;
    console.cells = fits ? window_map(TEXT_SCREEN, TEXT_CELLS * sizeof(u16), WINDOW_DEVICE) : NULL;
    if (!console.cells) {
        log_error("screen: %u x %u characters not used: %s", columns, rows, fits ? "no memory to map it" : "too many");
        return;
    }
    unsigned top = crtc_read(CRTC_START), cursor = crtc_read(CRTC_CURSOR);
    if (top + rows * columns > TEXT_CELLS || cursor - top >= rows * columns) top = cursor = 0;
    console.columns = columns;
    console.rows = rows;
    console.capacity = TEXT_CELLS;
    console.top = top;
    console.row = (cursor - top) / columns;
    console.column = (cursor - top) % columns;
    kind = VGA_TEXT;
}

static void framebuffer_begin(void) {
    void *memory = window_map(framebuffer.address, (u64)framebuffer.pitch * framebuffer.height, WINDOW_WRITE_COMBINING);
    console.columns = MIN(framebuffer.width / FONT_WIDTH, COLUMNS_MAX);
    console.rows = MIN(framebuffer.height / FONT_HEIGHT, ROWS_MAX);
    if (!memory || !console.columns || !console.rows) return; // window_map() said why
    framebuffer_init(&framebuffer, memory);
    console_erase(&console, 0, console.columns);
    kind = FRAMEBUFFER;
}

void screen_init(const struct boot_info *boot) {
    framebuffer = boot->framebuffer;
    if (framebuffer.address) framebuffer_begin();
    else if (boot->text_columns) text_init(boot->text_columns, boot->text_rows);
}

static void draw_all(void) {
    framebuffer_clear();
    if (shown) memset(shown, 0, console.columns * console.rows * sizeof(*shown)); // no cell is 0
}

void screen_keep(void) {
    if (kind != FRAMEBUFFER) return;
    u64 size = console.columns * console.rows, frame, end;
    bool cleared;
    if (!(frame = frame_alloc(&cleared))) {
        log("screen: no memory to keep its text in: when it is full it goes on at the top");
        return;
    }
    _Static_assert(3 * COLUMNS_MAX * ROWS_MAX * sizeof(u16) <= PAGE_2M - PAGE_SIZE, "they fit");
    frame_split(frame);
    end = frame + PAGE_SIZE + ROUND_UP(3 * size * sizeof(u16), PAGE_SIZE);
    for (; end < frame + PAGE_2M; end += PAGE_SIZE) page_free(end);
    console.cells = window(frame + PAGE_SIZE);
    console.capacity = 2 * size;
    console.row = console.column = 0;
    shown = (u16 *)console.cells + 2 * size;
    console_erase(&console, 0, (unsigned)size);
    draw_all();
    unsigned lines = 0;
    while (log_kept(lines)) lines++;
    while (lines-- > 0)
        if (!options.quiet || log_kept(lines)[4] == '!') screen_log(log_kept(lines), strlen(log_kept(lines)));
    screen_write("\n", 1);
}

// The log and the program's output come from any CPU. One that was stopped while it drew is not waited for.
static void begin(void) {
    for (u32 tries = DRAWING_MAX; __atomic_exchange_n(&drawing, true, __ATOMIC_ACQUIRE) && tries > 0; tries--)
        __builtin_ia32_pause();
}

static void end(void) {
    if (kind == VGA_TEXT) {
        crtc_write(CRTC_START, console.top);
        crtc_write(CRTC_CURSOR, console.top + console.row * console.columns + MIN(console.column, console.columns - 1));
    } else if (shown && !yielded) {
        framebuffer_show(&console, shown);
    }
    __atomic_store_n(&drawing, false, __ATOMIC_RELEASE);
}

void screen_write(const char *text, size_t bytes) {
    if (silent()) return;
    begin();
    console_write(&console, text, bytes);
    end();
}

// What the program was in the middle of goes on behind it.
void screen_log(const char *line, size_t bytes) {
    if (silent()) return;
    begin();
    struct console_style style = console.style;
    console.style = CONSOLE_STYLE(bytes > 4 && line[4] == '!' ? COLOUR_ERROR : COLOUR_LOG); // "vmos! ", "vmos: "
    if (console.column > 0) console_write(&console, "\n", 1);
    console_write(&console, line, bytes);
    console.style = style;
    end();
}

const struct boot_framebuffer *screen_framebuffer(void) { return kind == FRAMEBUFFER ? &framebuffer : NULL; }

void screen_yield(bool program_draws) {
    if (kind != FRAMEBUFFER || yielded == program_draws) return;
    begin();
    yielded = program_draws;
    if (!yielded) draw_all();
    end();
}

unsigned screen_take_back(void) {
    screen_yield(false);
    return kind == NOTHING ? 25 : console.rows;
}
