// The screen: VGA text or a framebuffer under one console. In text mode the cells are 32 KiB of
// video memory, of which the CRT controller shows 25 rows from a start address, and scrolling moves
// that. A framebuffer has its cells in RAM.
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/x86.h"
#include "kernel/device/console.h"
#include "kernel/device/devices.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/window.h"

#define CRTC_INDEX  0x3d4 // colour adapter; data at + 1
#define CRTC_START  0x0c  // first cell shown, high byte; low byte behind it
#define CRTC_CURSOR 0x0e
#define TEXT_CELLS  0x4000u    // 32 KiB from TEXT_SCREEN
#define DRAWING_MAX (1u << 23) // a second or less
#define LINE        80         // characters that a row must hold to count
#define WORK_MAX    20000u     // cells that one write erases or copies, but for its last byte
#define SHOWN_MAX   128u       // cells that are painted in one go, each in some 700 instructions
#define REST_NS     500000     // until the next ones are

static struct console console = {.style = CONSOLE_STYLE(COLOUR_PROGRAM)};
static enum { NOTHING, VGA_TEXT, FRAMEBUFFER } kind;
static struct boot_framebuffer framebuffer;
static u16 *shown;            // of the framebuffer's cells
static bool yielded, drawing; // to a program that draws; some CPU writes
static bool in_time;          // screen_look() draws

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
static void screen_text_init(unsigned columns, unsigned rows) {
    bool fits = rows > 0 && columns * (rows + 1) <= TEXT_CELLS;
    const char *why = "too many";
    u16 *cells = NULL;
    if (fits) {
        why = "no memory to map it";
        cells = window_map((paddr){TEXT_SCREEN}, TEXT_CELLS * sizeof(u16), WINDOW_DEVICE);
    }
    if (!cells) {
        log_error("screen: %u x %u characters not used: %s", columns, rows, why);
        return;
    }
    unsigned top = crtc_read(CRTC_START);
    unsigned cursor = crtc_read(CRTC_CURSOR);
    if (top + rows * columns > TEXT_CELLS || cursor - top >= rows * columns) {
        top = 0;
        cursor = 0;
    }
    unsigned at = cursor - top;
    console = (struct console){cells,        TEXT_CELLS,   columns,       rows, top,
                               at / columns, at % columns, console.style, 0};
    kind = VGA_TEXT;
}

// On as much of it as there are cells for; the low kernel has few.
static void screen_framebuffer_begin(const struct boot_part *cells) {
    void *memory = window_map((paddr){framebuffer.address},
                              (u64)framebuffer.pitch * framebuffer.height, WINDOW_WRITE_COMBINING);
    unsigned columns = framebuffer.width / FONT_WIDTH;
    unsigned fit = (unsigned)(cells->length / sizeof(u16));
    unsigned rows = 0;
    // The console has one row more than is shown, and shown[] has the rest.
    if (columns) rows = MIN(framebuffer.height / FONT_HEIGHT, (MAX(fit / columns, 1) - 1) / 2);
    if (!memory || !rows) return; // window_map() said why; or no character fits
    unsigned size = rows * columns;
    console = (struct console){
        window((paddr){cells->start}), fit - size, columns, rows, 0, 0, 0, console.style, 0};
    shown = (u16 *)window((paddr){cells->start}) + (fit - size);
    kind = FRAMEBUFFER;
    framebuffer_init(&framebuffer, memory);
    console_erase(&console, 0, size);
    memset(shown, 0, size * sizeof *shown);
}

void screen_init(const struct boot_info *boot) {
    framebuffer = boot->framebuffer;
    if (framebuffer.address)
        screen_framebuffer_begin(&boot->screen);
    else if (boot->text_columns)
        screen_text_init(boot->text_columns, boot->text_rows);
}

unsigned screen_columns(void) { return console.columns; }
unsigned screen_rows(void) { return console.rows; }

// The log and the program's output come from any CPU. One that draws is waited for, however long
// the host puts a virtual CPU aside; but not for ever once CPUs are stopped.
static bool screen_first_begin(void) {
    if (kind == NOTHING) return false;
    for (u32 tries = DRAWING_MAX;
         __atomic_exchange_n(&drawing, true, __ATOMIC_ACQUIRE) && tries > 0;
         tries -= cpus_stopping())
        __builtin_ia32_pause();
    return true;
}

// A framebuffer that scrolls may take longer to be drawn than a call or an interrupt may.
static bool screen_at_once(void) { return !in_time || cpus_stopping(); }

// Whether all is drawn.
static bool screen_end(void) {
    bool done = true;
    if (kind == VGA_TEXT) {
        crtc_write(CRTC_START, console.top);
        crtc_write(CRTC_CURSOR, console.top + console.row * console.columns +
                                    MIN(console.column, console.columns - 1));
    } else if (!yielded) {
        u32 most = SHOWN_MAX;
        if (screen_at_once()) most = UINT32_MAX;
        done = framebuffer_show(&console, shown, most);
    }
    __atomic_store_n(&drawing, false, __ATOMIC_RELEASE);
    return done;
}

bool screen_show(void) { return kind != FRAMEBUFFER || !screen_first_begin() || screen_end(); }

static u64 screen_look(u64 now) {
    if (screen_show()) return UINT64_MAX;
    return now + REST_NS;
}

// Leaves the next steps to CPU 0, which takes them as soon as it can.
void screen_later(void) { watch_by(1); }

// From here on no call works for longer than others can wait: a framebuffer is drawn in steps.
void screen_begin(void) {
    watch_add(screen_look);
    in_time = true;
}

size_t screen_write(const char *text, size_t bytes) {
    if (!screen_first_begin()) return bytes;
    size_t taken = console_write(&console, text, bytes, WORK_MAX);
    (void)screen_end();
    return taken;
}

// What the program was in the middle of goes on behind it.
void screen_log(const char *line, size_t bytes) {
    if (!screen_first_begin()) return;
    struct console_style style = console.style;
    bool is_error = bytes > 4 && line[4] == '!'; // "vmos! " or "vmos: "
    console.style = CONSOLE_STYLE(is_error ? COLOUR_ERROR : COLOUR_LOG);
    if (console.column > 0) console_write(&console, "\n", 1, UINT32_MAX);
    bool whole = line[bytes - 1] == '\n';
    console_write(&console, line, bytes - whole, UINT32_MAX);
    if (style.moved) console_write(&console, "\33[K", 3, UINT32_MAX);
    console_write(&console, "\n", whole, UINT32_MAX);
    console.style = style;
    if (!screen_end()) screen_later();
}

const struct boot_framebuffer *screen_framebuffer(void) {
    if (kind != FRAMEBUFFER) return NULL;
    return &framebuffer;
}

// While a program draws to the framebuffer text is only kept; afterwards it is drawn again. Returns
// how many lines of 80 characters it has room for.
unsigned screen_yield(bool program_draws) {
    if (kind == FRAMEBUFFER && yielded != program_draws) {
        (void)screen_first_begin();
        // First: a CPU that stops here drew nothing.
        memset(shown, 0, console.columns * console.rows * sizeof *shown);
        framebuffer_clear();
        yielded = program_draws;
        if (!screen_end()) screen_later();
    }
    if (kind == NOTHING) return 25;
    return console.rows * MIN(console.columns, LINE) / LINE;
}
