// kernel/device/keys.c: every key in every state, what comes in between, and garbage.
#include <stdlib.h>
#include <string.h>
#include "kernel/device/keys.c"
#include "test/check.h"

static struct keys keys;
static char typed[4096];
static size_t typed_bytes;

// Scan codes until the first 0, as bytes that were typed; restarts are counted.
static unsigned restarts;
static void feed(u8 code) {
    u8 bytes[KEYS_BYTES];
    size_t count = keys_decode(&keys, code, bytes);
    if (count == KEYS_RESTART) {
        restarts++;
        return;
    }
    CHECK(count < KEYS_BYTES);
    if (typed_bytes + count < sizeof typed)
        memcpy(typed + typed_bytes, bytes, count), typed_bytes += count;
}

static bool gives(const char *codes, const char *text, size_t bytes) {
    typed_bytes = 0;
    while (*codes) feed((u8)*codes++);
    return typed_bytes == bytes && memcmp(typed, text, bytes) == 0;
}
#define GIVES(codes, text) CHECK(gives(codes, text, sizeof(text) - 1))

static void start(void) { memset(&keys, 0, sizeof keys); }

// What each key gives: alone, with shift, with ctrl (a space in the name of a sequence: see below).
static const struct {
    u8 prefix, code;
    const char *alone, *shift, *ctrl;
} all[] = {
    {0, 0x01, "\33", "\33", "\33"},
    {0, 0x02, "1", "!", "1"},
    {0, 0x03, "2", "@", "NUL"},
    {0, 0x04, "3", "#", "\33"},
    {0, 0x05, "4", "$", "\34"},
    {0, 0x06, "5", "%", "\35"},
    {0, 0x07, "6", "^", "\36"},
    {0, 0x08, "7", "&", "\37"},
    {0, 0x09, "8", "*", "\177"},
    {0, 0x0a, "9", "(", "9"},
    {0, 0x0b, "0", ")", "0"},
    {0, 0x0c, "-", "_", "-"},
    {0, 0x0d, "=", "+", "="},
    {0, 0x0e, "\177", "\177", "\177"},
    {0, 0x0f, "\t", "\33[Z", "\t"},
    {0, 0x10, "q", "Q", "\21"},
    {0, 0x11, "w", "W", "\27"},
    {0, 0x12, "e", "E", "\5"},
    {0, 0x13, "r", "R", "\22"},
    {0, 0x14, "t", "T", "\24"},
    {0, 0x15, "y", "Y", "\31"},
    {0, 0x16, "u", "U", "\25"},
    {0, 0x17, "i", "I", "\t"},
    {0, 0x18, "o", "O", "\17"},
    {0, 0x19, "p", "P", "\20"},
    {0, 0x1a, "[", "{", "\33"},
    {0, 0x1b, "]", "}", "\35"},
    {0, 0x1c, "\r", "\r", "\r"},
    {0, 0x1e, "a", "A", "\1"},
    {0, 0x1f, "s", "S", "\23"},
    {0, 0x20, "d", "D", "\4"},
    {0, 0x21, "f", "F", "\6"},
    {0, 0x22, "g", "G", "\7"},
    {0, 0x23, "h", "H", "\10"},
    {0, 0x24, "j", "J", "\12"},
    {0, 0x25, "k", "K", "\13"},
    {0, 0x26, "l", "L", "\14"},
    {0, 0x27, ";", ":", ";"},
    {0, 0x28, "'", "\"", "'"},
    {0, 0x29, "`", "~", "NUL"},
    {0, 0x2b, "\\", "|", "\34"},
    {0, 0x2c, "z", "Z", "\32"},
    {0, 0x2d, "x", "X", "\30"},
    {0, 0x2e, "c", "C", "\3"},
    {0, 0x2f, "v", "V", "\26"},
    {0, 0x30, "b", "B", "\2"},
    {0, 0x31, "n", "N", "\16"},
    {0, 0x32, "m", "M", "\r"},
    {0, 0x33, ",", "<", ","},
    {0, 0x34, ".", ">", "."},
    {0, 0x35, "/", "?", "\37"},
    {0, 0x37, "*", "*", "*"},
    {0, 0x39, " ", " ", "NUL"},
    {0, 0x3b, "\33OP", "\33[1;2P", "\33[1;5P"},
    {0, 0x3c, "\33OQ", "\33[1;2Q", "\33[1;5Q"},
    {0, 0x3d, "\33OR", "\33[1;2R", "\33[1;5R"},
    {0, 0x3e, "\33OS", "\33[1;2S", "\33[1;5S"},
    {0, 0x3f, "\33[15~", "\33[15;2~", "\33[15;5~"},
    {0, 0x40, "\33[17~", "\33[17;2~", "\33[17;5~"},
    {0, 0x41, "\33[18~", "\33[18;2~", "\33[18;5~"},
    {0, 0x42, "\33[19~", "\33[19;2~", "\33[19;5~"},
    {0, 0x43, "\33[20~", "\33[20;2~", "\33[20;5~"},
    {0, 0x44, "\33[21~", "\33[21;2~", "\33[21;5~"},
    {0, 0x57, "\33[23~", "\33[23;2~", "\33[23;5~"},
    {0, 0x58, "\33[24~", "\33[24;2~", "\33[24;5~"},
    {0, 0x47, "7", "7", "\37"},
    {0, 0x48, "8", "8", "\177"},
    {0, 0x49, "9", "9", "9"},
    {0, 0x4a, "-", "-", "-"},
    {0, 0x4b, "4", "4", "\34"},
    {0, 0x4c, "5", "5", "\35"},
    {0, 0x4d, "6", "6", "\36"},
    {0, 0x4e, "+", "+", "+"},
    {0, 0x4f, "1", "1", "1"},
    {0, 0x50, "2", "2", "NUL"},
    {0, 0x51, "3", "3", "\33"},
    {0, 0x52, "0", "0", "0"},
    {0, 0x53, ".", ".", "."},
    {0, 0x56, "\\", "|", "\34"},
    {0xe0, 0x1c, "\r", "\r", "\r"},
    {0xe0, 0x35, "/", "/", "\37"},
    {0xe0, 0x47, "\33[H", "\33[1;2H", "\33[1;5H"},
    {0xe0, 0x48, "\33[A", "\33[1;2A", "\33[1;5A"},
    {0xe0, 0x49, "\33[5~", "\33[5;2~", "\33[5;5~"},
    {0xe0, 0x4b, "\33[D", "\33[1;2D", "\33[1;5D"},
    {0xe0, 0x4d, "\33[C", "\33[1;2C", "\33[1;5C"},
    {0xe0, 0x4f, "\33[F", "\33[1;2F", "\33[1;5F"},
    {0xe0, 0x50, "\33[B", "\33[1;2B", "\33[1;5B"},
    {0xe0, 0x51, "\33[6~", "\33[6;2~", "\33[6;5~"},
    {0xe0, 0x52, "\33[2~", "\33[2;2~", "\33[2;5~"},
    {0xe0, 0x53, "\33[3~", "\33[3;2~", "\33[3;5~"},
};

// A key is pressed, repeats and is released, with another one held.
static bool key_gives(u8 held_prefix, u8 held, u8 prefix, u8 code, const char *text) {
    const u8 codes[] = {held_prefix, held,   prefix,      code,        prefix,
                        code,        prefix, code | 0x80, held_prefix, held | 0x80};
    size_t bytes = strcmp(text, "NUL") ? strlen(text) : 1;
    start();
    typed_bytes = 0;
    for (size_t i = 0; i < sizeof codes; i++)
        if (codes[i] & 0x7f) feed(codes[i]);
    if (!bytes) return typed_bytes == 0 && !keys.held;
    text = strcmp(text, "NUL") ? text : "";
    return typed_bytes == 2 * bytes && !memcmp(typed, text, bytes) &&
           !memcmp(typed + bytes, text, bytes) && !keys.held;
}

static void every_key(void) {
    bool known[2][128] = {{false}};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        u8 prefix = all[i].prefix, code = all[i].code;
        known[prefix > 0][code] = true;
        CHECK(key_gives(0, 0, prefix, code, all[i].alone));
        CHECK(key_gives(0, 0x2a, prefix, code, all[i].shift) &&
              key_gives(0, 0x36, prefix, code, all[i].shift));
        CHECK(key_gives(0, 0x1d, prefix, code, all[i].ctrl) &&
              key_gives(0xe0, 0x1d, prefix, code, all[i].ctrl));
        CHECK(key_gives(0xe0, 0x2a, prefix, code, all[i].alone)); // a shift made up around it
        char with_alt[16] = "\33";
        if (strlen(all[i].alone) > 1) continue;
        strcat(with_alt, all[i].alone);
        CHECK(key_gives(0, 0x38, prefix, code, with_alt) &&
              key_gives(0xe0, 0x38, prefix, code, with_alt));
    }
    for (int extended = 0; extended < 2; extended++)
        for (u8 code = 0; code < 0x60; code++)
            if (!known[extended][code] && (extended || code != 0x3a))
                CHECK(key_gives(0, 0, extended ? 0xe0 : 0, code, ""));
}

static void states(void) {
    start();
    GIVES("\x1e\x9e\x3a\x3a\xba\x1e\x9e\x02", "aA1"); // Caps Lock, which repeats; letters only
    GIVES("\x2a\x1e\x9e\x1a\xaa\x1e", "a{A");         // shift takes it back
    GIVES("\x1d\x1e\x9d\x3a\xba\x1e", "\1a");         // and off
    GIVES("\x2a\x36\xaa\x1e\xb6\x1e", "Aa");          // two shifts
    GIVES("\x1d\xe0\x1d\x9d\x2e\xe0\x9d\x2e", "\3c"); // two ctrls
    GIVES("\x38\x2a\x10\xaa\xb8\x10", "\33Qq");       // alt and shift
    GIVES("\x1d\x38\x10\xb8\x9d", "\33\21");          // ctrl and alt
    GIVES("\x1d\x38\xe0\x48\xb8\x9d\x2a\x38\x3f\xb8\xaa", "\33[1;7A\33[15;4~");
    GIVES("\xe1\x1d\x45\xe1\x9d\xc5\x2e", "c");         // Pause is no ctrl
    GIVES("\xe1\x1e\x1e\x1e", "a");                     // two bytes mean nothing then
    GIVES("\xe0\x2a\xe0\x37\xe0\xb7\xe0\xaa\x1e", "a"); // neither is Print Screen a shift
    GIVES("\xe0\xe0\x48\x48", "\33[A8");                // a prefix twice; it counts for one key
    GIVES("\xe0\xe1\x1d\x45\x48", "8");
    GIVES("\xfa\xfe\xff\xaa\x9d\x1e",
          "a"); // answers of a keyboard, keys released that were not down
    CHECK(!restarts);
    GIVES("\x1d\xe0\x53\x38\xb8\x9d\x38\xe0\x53\xb8", "\33[3;5~\33[3;3~");
    CHECK(!restarts);
    GIVES("\x1d\x38\xe0\x53\xe0\xd3\xb8\x9d\xe0\x1d\xe0\x38\x53\xd3\xe0\x9d\xe0\xb8\x1e", "a");
    CHECK(restarts == 2 && !keys.held);
}

// A long run of any codes: the next whole key is understood again once nothing is held.
static void garbage(void) {
    srand(5);
    for (int round = 0; round < 2000; round++) {
        start();
        for (int i = rand() % 100; i > 0; i--) feed((u8)rand());
        keys.held &= KEYS_CAPS_ON;
        CHECK(keys.skip <= 2);
        for (int i = 0; i < 3; i++) feed(0x80);
        CHECK(gives("\x02\x82", "1", 1));
    }
}

int main(void) {
    every_key();
    states();
    garbage();
    return check_done("keys");
}
