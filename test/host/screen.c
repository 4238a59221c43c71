// kernel/device/screen.c against a plain model of a screen: random text in random pieces, compared after each piece by
// what the adapter would show.
#include <stdlib.h>
#include <string.h>

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

#include "kernel/device/screen.c"

void log_error(const char *fmt, ...) { (void)fmt; }
static u16 *memory; // 32 KiB exactly, so that the sanitizer sees a cell outside
void *window_map(u64 physical, u64 bytes, enum window_kind kind) {
    CHECK(physical == 0xb8000 && bytes == 32768 && kind == WINDOW_DEVICE);
    return memory;
}

// ---- the model: rows of characters, and no escape sequences but what the generator says it made ----
enum { ROWS = 25, COLUMNS = 80 };
static char model[ROWS][COLUMNS];
static int model_row, model_column;

static void model_new_line(void) {
    model_column = 0;
    if (++model_row < ROWS) return;
    model_row = ROWS - 1;
    memmove(model[0], model[1], (ROWS - 1) * COLUMNS);
    memset(model[ROWS - 1], ' ', COLUMNS);
}

static void model_put(char c) {
    if (model_column == COLUMNS) model_new_line();
    model[model_row][model_column++] = c;
}

static void model_text(char c) {
    if (c == '\n') model_new_line();
    else if (c == '\r') model_column = 0;
    else if (c == '\b') model_column -= model_column > 0;
    else if (c == '\t') {
        do model_put(' ');
        while (model_column % 8 && model_column < COLUMNS);
    } else if (c >= ' ') model_put(c);
}

// Appends one random piece of text to buffer and feeds it to the model; returns its bytes.
static size_t generate(char *buffer, int lines) {
    static const char *const swallowed[] = {
        "\033[0m", "\033[1;31m", "\033[2J",   "\033(B", "\033]0;title\a", "\033]0;title\033\\",
        "\a",      "\177",       "\033[?25l", "\033="};
    static const char *const question[] = {"\303\274", "\342\202\254", "\360\237\230\200"};
    int kind = rand() % 40;
    if (kind < 2) return strlen(strcpy(buffer, swallowed[rand() % ARRAY_SIZE(swallowed)]));
    if (kind == 2) {
        model_put('?');
        return strlen(strcpy(buffer, question[rand() % ARRAY_SIZE(question)]));
    }
    *buffer = kind == 3 ? "\r\b\t"[rand() % 3] : kind < 4 + lines ? '\n' : (char)(' ' + rand() % 95);
    model_text(*buffer);
    return 1;
}

static unsigned crtc_pair(u8 high) { return crtc[high] << 8 | crtc[high + 1]; }

static bool shown_is_model(void) {
    unsigned start = crtc_pair(0x0c), cursor = crtc_pair(0x0e);
    int at = model_column < COLUMNS ? model_column : COLUMNS - 1;
    if (start + ROWS * COLUMNS > 16384 || cursor != start + model_row * COLUMNS + at) return false;
    for (int i = 0; i < ROWS * COLUMNS; i++)
        if (memory[start + i] != (0x0700 | (u8)model[i / COLUMNS][i % COLUMNS])) return false;
    return true;
}

static void test_random(int lines, int longest) {
    static char buffer[200000];
    for (int piece = 0; piece < 1500; piece++) {
        size_t length = 0, wanted = 1 + rand() % longest;
        while (length < wanted) length += generate(buffer + length, lines);
        screen_write(buffer, length);
        CHECK(shown_is_model());
    }
}

static void begin(unsigned start, unsigned cursor) {
    struct boot_info boot = {.text_columns = COLUMNS, .text_rows = ROWS};
    crtc[0x0c] = start >> 8, crtc[0x0d] = (u8)start, crtc[0x0e] = cursor >> 8, crtc[0x0f] = (u8)cursor;
    for (int i = 0; i < 16384; i++) memory[i] = 0x0720;
    memset(model, ' ', sizeof(model));
    state = TEXT;
    screen_init(&boot);
}

int main(void) {
    memory = malloc(32768);
    screen_write("nobody sees this", 16); // before init, and without a screen
    struct boot_info none = {0};
    screen_init(&none);
    screen_write("nor this", 8);

    begin(80, 80 + 3 * 80 + 7); // below what the BIOS left
    model_row = 3, model_column = 7;
    test_random(1, 300);
    test_random(6, 3000);
    begin(16384 - 80, 5); // nonsense: begins at the top
    model_row = model_column = 0;
    test_random(20, 100);
    free(memory);
    return check_done("screen");
}
