// kernel/device/screen.c, console.c and framebuffer.c against a plain model of a screen: random
// text and sequences in random pieces, compared after each piece by what the adapter would show,
// and pixel by pixel on framebuffers of every depth, with odd pitches, sizes that are no whole
// characters, and bytes around that nobody may touch.
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// The real instructions make way for a simulated adapter.
#define inb  real_inb
#define outb real_outb
#define outw real_outw
#include "kernel/cpu/x86.h"
#undef inb
#undef outb
#undef outw
#define log vmos_log // the C library has another
#include "test/check.h"

static u8 crtc[256], crtc_index;
static u8 inb(u16 port) {
    CHECK(port == 0x3d5);
    return crtc[crtc_index];
}
static void outb(u16 port, u8 value) {
    CHECK(port == 0x3d4);
    crtc_index = value;
}
static void outw(u16 port, u16 value) {
    CHECK(port == 0x3d4);
    crtc[value & 0xff] = value >> 8;
}

#include "kernel/device/console.c"
#include "kernel/device/framebuffer.c"
#undef TEXT
#include "kernel/device/screen.c"

u64 window_base;
static bool stopping;
bool cpus_stopping(void) { return stopping; }
static u64 due = UINT64_MAX;
static u64 (*look)(u64 now);
void watch_add(u64 (*given)(u64 now)) { look = given; }
void watch_by(u64 when) { due = when; }
static int errors;
void log_error(const char *fmt, ...) { (void)fmt, errors++; }
static u16 *memory; // 32 KiB exactly, so that the sanitizer sees a cell outside
static u8 *video;   // of the framebuffer, exactly, too
static size_t video_bytes;
void *window_map(paddr physical, u64 bytes, enum window_kind how) {
    if (how == WINDOW_WRITE_COMBINING) {
        CHECK(physical.at == 0xe0000000 && bytes == video_bytes);
        return video;
    }
    CHECK(physical.at == 0xb8000 && bytes == 32768 && how == WINDOW_DEVICE);
    return memory;
}

static sigjmp_buf stop;
static void stopped(int signal) { (void)signal, siglongjmp(stop, 1); }

// ---- the model: rows of cells ----
enum { ROWS = 25, COLUMNS = 80, MODEL_ROWS = 64, MODEL_COLUMNS = 200 };
static u16 model[MODEL_ROWS][MODEL_COLUMNS];
static int model_rows, model_columns, model_row, model_column;
static struct {
    int front, back;
    bool bold, reverse;
} pen;
static const u8 to_vga[] = {0, 4, 2, 6, 1, 5, 3, 7}; // ECMA-48's colours

static u16 model_cell(char c) {
    int front = pen.front | (pen.bold ? 8 : 0), back = pen.back;
    if (pen.reverse) back = front & 7, front = pen.back;
    return (u16)(back << 12 | front << 8 | (u8)c);
}

static void model_erase(int row, int from, int to) {
    for (; from < to; from++) model[row][from] = model_cell(' ');
}

static void model_new_line(void) {
    model_column = 0;
    if (++model_row < model_rows) return;
    model_row = model_rows - 1;
    memmove(model[0], model[1], sizeof model[0] * (size_t)(model_rows - 1));
    model_erase(model_row, 0, model_columns);
}

static void model_put(char c) {
    if (model_column == model_columns) model_new_line();
    model[model_row][model_column++] = model_cell(c);
}

static void model_text(char c) {
    if (c == '\n')
        model_new_line();
    else if (c == '\r')
        model_column = 0;
    else if (c == '\b')
        model_column -= model_column > 0;
    else if (c == '\t') {
        do model_put(' ');
        while (model_column % 8 && model_column < model_columns);
    } else if (c >= ' ')
        model_put(c);
}

static int within(int n, int end) { return n < 0 ? 0 : n >= end ? end - 1 : n; }

// A random sequence that is obeyed.
static size_t generate_sequence(char *buffer) {
    int n = rand() % 12, m = rand() % 90, by = n ? n : 1;
    char number[12] = "", kind = "ABCDHJKmmmmm"[rand() % 12];
    if (n || rand() % 2) sprintf(number, "%d", n);
    if (kind < 'J')
        model_column =
            within(model_column, model_columns); // what waited for a new line no longer does
    switch (kind) {
    case 'A': model_row = within(model_row - by, model_rows); break;
    case 'B': model_row = within(model_row + by, model_rows); break;
    case 'C': model_column = within(model_column + by, model_columns); break;
    case 'D': model_column = within(model_column - by, model_columns); break;
    case 'H':
        model_row = within(by - 1, model_rows);
        model_column = within(m - 1, model_columns);
        return (size_t)sprintf(buffer, "\033[%s;%dH", number, m);
    case 'J':
    case 'K':
        n %= 3;
        for (int row = 0; row < model_rows; row++) {
            if (kind == 'K' && row != model_row) continue;
            bool before = row < model_row, here = row == model_row;
            if (n == 2 || (n == 0 && row > model_row) || (n == 1 && before))
                model_erase(row, 0, model_columns);
            else if (here && n == 0)
                model_erase(row, model_column, model_columns);
            else if (here)
                model_erase(row, 0, within(model_column, model_columns) + 1);
        }
        return n ? (size_t)sprintf(buffer, "\033[%d%c", n, kind)
                 : (size_t)sprintf(buffer, "\033[%c", kind);
    case 'm': {
        size_t length = (size_t)sprintf(buffer, "\033[");
        for (int left = 1 + rand() % 3; left > 0; left--) {
            static const int codes[] = {0, 1, 7, 22, 27, 39, 49, 4};
            int code = codes[rand() % 8];
            if (rand() % 2) code = (int[]){30, 40, 90, 100}[rand() % 4] + rand() % 8;
            if (code == 0) pen.front = 15, pen.back = 0, pen.bold = pen.reverse = false;
            if (code == 1 || code == 22) pen.bold = code == 1;
            if (code == 7 || code == 27) pen.reverse = code == 7;
            if (code == 39) pen.front = 15;
            if (code == 49) pen.back = 0;
            if (code >= 30 && code < 38) pen.front = to_vga[code - 30];
            if (code >= 90 && code < 98) pen.front = to_vga[code - 90] | 8;
            if (code >= 40 && code < 48) pen.back = to_vga[code - 40];
            if (code >= 100) pen.back = to_vga[code - 100];
            length += (size_t)sprintf(buffer + length, "%0*d%s", 1 + rand() % 3, code,
                                      left > 1 ? ";" : "m");
        }
        return length;
    }
    }
    return (size_t)sprintf(buffer, "\033[%s%c", number, kind);
}

// Appends one random piece of text to buffer and feeds it to the model; returns its bytes.
static size_t generate(char *buffer, int lines) {
    static const char *const swallowed[] = {"\033[4m",
                                            "\033[38;5;31m",
                                            "\033[s",
                                            "\033(B",
                                            "\033]0;title\a",
                                            "\033]0;title\033\\",
                                            "\a",
                                            "\177",
                                            "\033[?2J",
                                            "\033=",
                                            "\033[1;2$J",
                                            "\033#8",
                                            "\033[999999999q",
                                            "\033[;;;;;;;;;;;;;r"};
    static const char *const question[] = {"\303\274", "\342\202\254", "\360\237\230\200"};
    int which = rand() % 40;
    if (which < 2) return strlen(strcpy(buffer, swallowed[rand() % ARRAY_SIZE(swallowed)]));
    if (which == 2) {
        model_put('?');
        return strlen(strcpy(buffer, question[rand() % ARRAY_SIZE(question)]));
    }
    if (which == 4) return generate_sequence(buffer);
    *buffer = which == 3          ? "\r\b\t"[rand() % 3]
              : which < 5 + lines ? '\n'
                                  : (char)(' ' + rand() % 95);
    model_text(*buffer);
    return 1;
}

// ---- what is shown ----
static unsigned crtc_pair(u8 high) { return crtc[high] << 8 | crtc[high + 1]; }

static bool text_is_model(void) {
    unsigned start = crtc_pair(0x0c), cursor = crtc_pair(0x0e);
    int at = model_column < COLUMNS ? model_column : COLUMNS - 1;
    if (start + ROWS * COLUMNS > 16384 || cursor != start + model_row * COLUMNS + at) return false;
    for (int i = 0; i < ROWS * COLUMNS; i++)
        if (memory[start + i] != model[i / COLUMNS][i % COLUMNS]) return false;
    return true;
}

static struct boot_info boot;
#define shown_frame (&boot.framebuffer)
enum { GUARD = 0xa5 };

static u32 pixel_at(unsigned x, unsigned y) {
    u32 value = 0;
    memcpy(&value, video + y * shown_frame->pitch + x * (shown_frame->bits / 8),
           shown_frame->bits / 8);
    return value;
}

// What 8 bits of a colour become in the pixel, bit by bit.
static u32 part(int value, int bits, int at) {
    u32 pixel = 0;
    for (int bit = 0; bit < bits; bit++)
        if (value >> (7 - bit) & 1) pixel |= 1u << (at + bits - 1 - bit);
    return pixel;
}

static u32 colour_of(int n) {
    static const int levels[4] = {0, 0xaa, 0x55, 0xff};
    const struct boot_framebuffer *f = shown_frame;
    int bright = n & 8 ? 2 : 0;
    return part(levels[(n >> 2 & 1) | bright], f->red_bits, f->red_at) |
           part(levels[(n >> 1 & 1) | bright], f->green_bits, f->green_at) |
           part(levels[(n & 1) | bright], f->blue_bits, f->blue_at);
}

// margin: what the pixels beside the characters hold, a byte.
static bool pixels_are_model(u8 margin) {
    const struct boot_framebuffer *f = shown_frame;
    u32 colour[16];
    for (int n = 0; n < 16; n++) colour[n] = colour_of(n);
    for (unsigned y = 0; y < f->height; y++) {
        unsigned used = f->width * (f->bits / 8u);
        for (unsigned i = used; i < f->pitch; i++)
            if (video[y * f->pitch + i] != GUARD) return false;
        for (unsigned i = (unsigned)model_columns * f->bits; i < used; i++)
            if (video[y * f->pitch + i] != margin) return false;
        for (unsigned x = 0; x < (unsigned)model_columns * 8; x++) {
            int row = (int)y / 16, column = (int)x / 8;
            if (row >= model_rows) {
                if ((u8)pixel_at(x, y) != margin) return false;
                continue;
            }
            int cell = model[row][column];
            bool cursor = row == model_row && column == within(model_column, model_columns);
            bool on = font[(cell & 0xff) - ' '][y % 16] >> (7 - x % 8) & 1;
            int wanted = (on ? cell >> 8 & 15 : cell >> 12 & 7) ^ (cursor ? 7 : 0);
            if (pixel_at(x, y) != colour[wanted]) return false;
        }
    }
    return true;
}

// In as many goes as it takes, of which none erases or copies much more than it may.
static void write_all(const char *text, size_t bytes) {
    for (size_t done = 0, part; done < bytes; done += part) {
        unsigned before = console.work;
        part = screen_write(text + done, bytes - done);
        CHECK(part && console.work - before < WORK_MAX + 2 * console.rows * console.columns);
    }
}

static void test_random(int lines, int longest, int pieces) {
    static char buffer[200000];
    for (int piece = 0; piece < pieces; piece++) {
        size_t length = 0, wanted = 1 + (size_t)(rand() % longest);
        while (length < wanted) length += generate(buffer + length, lines);
        write_all(buffer, length);
        CHECK(kind == VGA_TEXT ? text_is_model() : pixels_are_model(GUARD));
    }
}

static void clear_model(int rows, int columns, u16 cell) {
    model_rows = rows, model_columns = columns, model_row = model_column = 0;
    for (int i = 0; i < MODEL_ROWS * MODEL_COLUMNS; i++) (&model[0][0])[i] = cell;
    pen.front = 15, pen.back = 0, pen.bold = pen.reverse = false;
    console = (struct console){.style = CONSOLE_STYLE(COLOUR_PROGRAM)};
    kind = NOTHING;
    yielded = false;
}

static void begin_text(unsigned start, unsigned cursor) {
    boot = (struct boot_info){.text_columns = COLUMNS, .text_rows = ROWS};
    crtc[0x0c] = start >> 8, crtc[0x0d] = (u8)start, crtc[0x0e] = cursor >> 8,
    crtc[0x0f] = (u8)cursor;
    for (int i = 0; i < 16384; i++) memory[i] = 0x0720;
    clear_model(ROWS, COLUMNS, 0x0720);
    screen_init(&boot);
}

// cells: bytes; 0: as the high kernel has them.
static void *begin_framebuffer(struct boot_framebuffer f, u64 cells) {
    f.address = 0xe0000000;
    boot = (struct boot_info){.text_columns = COLUMNS, .text_rows = ROWS, .framebuffer = f};
    boot.screen.length = cells ? cells : screen_bytes(&f);
    void *text = malloc(boot.screen.length);
    boot.screen.start = (u64)text;
    video_bytes = (size_t)f.pitch * f.height;
    video = malloc(video_bytes);
    memset(video, GUARD, video_bytes);
    clear_model(f.height / 16, f.width / 8, 0x0f20);
    screen_init(&boot);
    CHECK(kind == FRAMEBUFFER);
    model_rows = (int)console.rows; // fewer than fit where there is little memory
    screen_write("", 0);
    return text;
}

static void end_framebuffer(void *text) {
    free(video);
    free(text);
}

// Sizes, then where red, green and blue begin in a pixel, then how many bits they have.
static struct boot_framebuffer framebuffer_of(const u16 (*numbers)[10]) {
    const u16 *n = *numbers;
    struct boot_framebuffer frame = {.width = n[0], .height = n[1], .bits = (u8)n[2]};
    frame.pitch = n[3];
    frame.red_at = (u8)n[4];
    frame.green_at = (u8)n[5];
    frame.blue_at = (u8)n[6];
    frame.red_bits = (u8)n[7];
    frame.green_bits = (u8)n[8];
    frame.blue_bits = (u8)n[9];
    return frame;
}
#define FRAME(...) framebuffer_of(&(const u16[10]){__VA_ARGS__})

static void test_depths(void) {
    const struct boot_framebuffer frames[] = {
        FRAME(320, 200, 32, 1280, 16, 8, 0, 8, 8, 8), FRAME(327, 207, 32, 1309, 8, 16, 24, 8, 8, 8),
        FRAME(321, 199, 24, 963, 16, 8, 0, 8, 8, 8),  FRAME(333, 161, 24, 1001, 0, 8, 16, 8, 8, 8),
        FRAME(400, 300, 16, 801, 11, 5, 0, 5, 6, 5),  FRAME(335, 177, 16, 701, 10, 5, 0, 5, 5, 5),
        FRAME(1599, 48, 32, 6400, 29, 8, 0, 3, 1, 2), FRAME(8, 16, 16, 16, 0, 0, 0, 1, 1, 1),
    };
    for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
        void *text = begin_framebuffer(frames[i], 0);
        CHECK(pixels_are_model(GUARD));
        test_random(1, 300, 20);
        test_random(6, 3000, 20);
        end_framebuffer(text);
    }
    struct boot_framebuffer wide = FRAME(1600, 1000, 32, 6400, 16, 8, 0, 8, 8, 8);
    void *text = begin_framebuffer(wide, 8192); // the low kernel
    CHECK(console.rows == 9 && console.columns == 200);
    test_random(6, 1000, 10);
    end_framebuffer(text);
    for (int i = 0; i < 3; i++) {
        boot.framebuffer.width = (u16[]){
            7, 40000, 16000}[i]; // not one character; no cells for one row; for one, not two
        boot.framebuffer.pitch = boot.framebuffer.width * 4;
        video_bytes = (size_t)boot.framebuffer.pitch * 1000;
        kind = NOTHING;
        screen_init(&boot);
        CHECK(kind == NOTHING);
    }
    screen_write("nobody sees this", 16);
}

// In steps: none paints much more than it may, and in the end all is there. A line of the log
// leaves them to CPU 0.
static void test_steps(void) {
    static char buffer[200000];
    struct boot_framebuffer f = FRAME(656, 400, 32, 2624, 16, 8, 0, 8, 8, 8);
    void *text = begin_framebuffer(f, 0);
    test_random(6, 3000, 3);
    screen_begin();
    unsigned cells = console.rows * console.columns, most = 0;
    for (int piece = 0; piece < 20; piece++) {
        size_t length = 0;
        while (length < 3000) length += generate(buffer + length, 6);
        write_all(buffer, length);
        unsigned steps = 0;
        for (bool done = false; !done; steps++) {
            u16 before[MODEL_ROWS * MODEL_COLUMNS];
            memcpy(before, shown, cells * sizeof *shown);
            done = screen_show();
            unsigned painted = 0;
            for (unsigned i = 0; i < cells; i++) painted += before[i] != shown[i];
            CHECK(painted < SHOWN_MAX + console.columns && steps < cells / 50);
        }
        most = MAX(most, steps);
        CHECK(pixels_are_model(GUARD));
    }
    CHECK(most > 5);
    CHECK(due == UINT64_MAX);
    memset(shown, 0, cells * sizeof *shown);
    screen_later();
    CHECK(due == 1 && look(5) == 5 + REST_NS);
    for (u64 now = 5; (now = look(now)) != UINT64_MAX;) {}
    CHECK(pixels_are_model(GUARD));
    stopping = true; // from here on at once, as before
    write_all("end", 3);
    for (const char *c = "end"; *c; c++) model_text(*c);
    CHECK(pixels_are_model(GUARD));
    stopping = in_time = false;
    end_framebuffer(text);
}

static void test_yield(void) {
    struct boot_framebuffer f = FRAME(323, 200, 32, 1300, 16, 8, 0, 8, 8, 8);
    void *text = begin_framebuffer(f, 0);
    CHECK(screen_framebuffer() && screen_framebuffer()->width == 323);
    CHECK(screen_yield(true) == 6);
    for (unsigned y = 0; y < f.height; y++)
        memset(video + y * f.pitch, 0x77, f.width * 4); // the program's picture
    screen_write("one\ntwo", 7);
    for (const char *c = "one\ntwo"; *c; c++) model_text(*c);
    for (size_t i = 0; i < video_bytes; i++)
        CHECK(video[i] == (i % f.pitch < f.width * 4u ? 0x77 : GUARD));
    CHECK(screen_yield(false) == 6 && pixels_are_model(0));
    CHECK(screen_yield(false) == 6 && pixels_are_model(0));
    screen_yield(true);
    pixels = (u8 *)4096; // whoever takes the screen back is stopped at once
    signal(SIGSEGV, stopped);
    if (!sigsetjmp(stop, 1)) {
        screen_yield(false);
        CHECK(!"it stopped");
    }
    signal(SIGSEGV, SIG_DFL);
    pixels = video;
    drawing = false;
    for (unsigned y = 0; y < f.height; y++) memset(video + y * f.pitch, 0x77, f.width * 4);
    CHECK(screen_yield(false) == 6 && pixels_are_model(0));
    end_framebuffer(text);
}

static void says(const char *line) {
    for (; *line; line++) model_text(*line);
}

static void test_log(void) {
    begin_text(0, 0);
    screen_write("a\033[31", 5); // in the middle of a sequence
    says("a\n");
    pen.front = 7;
    screen_log("vmos: grey\n", 11);
    says("vmos: grey\n");
    pen.front = 12;
    screen_log("vmos! red\n", 10);
    says("vmos! red\n");
    pen.front = 15;
    screen_write(";44mb\n", 6);
    pen.front = 4, pen.back = 1;
    says("b\n");
    CHECK(text_is_model());
    CHECK(!screen_framebuffer() && screen_yield(true) == 25 && screen_yield(false) == 25);
}

// A cursor that waits behind the last column for a new line: what is erased up to it ends with the
// row.
static void test_behind_row(void) {
    begin_text(0, 0);
    for (int i = 0; i < 3 * COLUMNS; i++) screen_write("x", 1), model_text('x');
    screen_write("\033[1;80Hy\033[1K\033[K", 15);
    model_row = 0, model_column = COLUMNS;
    model_erase(0, 0, COLUMNS);
    CHECK(text_is_model());
    screen_write("z", 1);
    model_text('z');
    CHECK(text_is_model());
}

// Amid what the program wrote a line of the log stands alone, and so does what follows a row that
// it fills.
static void test_log_amid_text(void) {
    begin_text(0, 0);
    for (int i = 0; i < 4 * COLUMNS; i++) screen_write("x", 1), model_text('x');
    screen_write("\033[2;1H\033]", 8);
    model_row = 1, model_column = 0;
    pen.front = 7;
    says("vmos: this");
    model_erase(1, 10, COLUMNS);
    says("\n");
    screen_log("vmos: this\n", 11);
    char row[COLUMNS];
    memset(row, 'y', COLUMNS);
    screen_log(row, COLUMNS); // a panic's line that was cut off at the end of a row
    for (int i = 0; i < COLUMNS; i++) says("y");
    CHECK(text_is_model());
    screen_log("z", 1);
    says("\nz");
    model_erase(3, 1, COLUMNS);
    CHECK(text_is_model());
}

// A CPU that is stopped while it copies the last screen to the beginning: others write on, within
// the memory.
static void test_stopped(void) {
    u16 *heap = memory,
        *mapped = mmap(NULL, 12 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory = mapped + 2048;
    mprotect(memory, 32768, PROT_READ | PROT_WRITE);
    begin_text(0, 0);
    console.row = ROWS - 1;
    while (console.top + (ROWS + 1) * COLUMNS <= 16384) screen_write("\n", 1);
    signal(SIGSEGV, stopped);
    mprotect(memory, 4096, PROT_NONE);
    if (!sigsetjmp(stop, 1)) {
        screen_write("\n", 1);
        CHECK(!"it stopped");
    }
    mprotect(memory, 4096, PROT_READ | PROT_WRITE);
    drawing = false;
    for (volatile int i = 0; i < 3 * COLUMNS; i++) {
        if (sigsetjmp(stop, 1)) {
            CHECK(!"within the memory");
            break;
        }
        screen_write("x", 1);
    }
    signal(SIGSEGV, SIG_DFL);
    munmap(mapped, 12 * 4096);
    memory = heap;
    drawing = false;
}

static void *draw_slowly(void *nothing) {
    usleep(700000);
    CHECK(console.column == 0);
    __atomic_store_n(&drawing, false, __ATOMIC_RELEASE);
    return nothing;
}

// One that draws is waited for; but one that was stopped is not when the machine ends.
static void test_wait(void) {
    pthread_t other;
    begin_text(0, 0);
    drawing = true;
    pthread_create(&other, NULL, draw_slowly, NULL);
    screen_write("x", 1);
    pthread_join(other, NULL);
    CHECK(console.column == 1 && !drawing);
    drawing = stopping = true;
    screen_write("x", 1);
    CHECK(console.column == 2 && !drawing);
    stopping = false;
}

// Every printable character has a picture of its own.
static void test_font(void) {
    CHECK(ARRAY_SIZE(font) == 95);
    for (int a = 0; a < 95; a++)
        for (int b = 0; b < a; b++) CHECK(memcmp(font[a], font[b], 16) != 0);
    for (int y = 0; y < 16; y++) CHECK(font[0][y] == 0);
}

int main(void) {
    memory = malloc(32768);
    screen_write("nobody sees this", 16); // before init, and without a screen
    CHECK(screen_yield(true) == 25 && screen_yield(false) == 25 && !screen_framebuffer());
    screen_init(&boot);
    screen_write("nor this", 8);
    boot.text_columns = 200, boot.text_rows = 100; // no room to scroll
    screen_init(&boot);
    CHECK(errors == 1 && kind == NOTHING);

    begin_text(80, 80 + 3 * 80 + 7); // below what the BIOS left
    model_row = 3, model_column = 7;
    test_random(1, 300, 1500);
    test_random(6, 3000, 1500);
    begin_text(16384 - 80, 5); // nonsense: begins at the top
    test_random(20, 100, 1500);
    test_log();
    test_behind_row();
    test_log_amid_text();
    test_stopped();
    test_wait();
    test_font();
    test_depths();
    test_steps();
    test_yield();
    free(memory);
    return check_done("screen");
}
