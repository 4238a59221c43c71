// What keys mean: scan code set 1 (IBM PS/2 Technical Reference, "Keyboards") and a US layout to
// bytes as a terminal sends them. Pure.
#include "kernel/device/devices.h"
#include "kernel/device/i8042.h"

// Prefixes: of the keys that the first PC had not, and of the one key whose code has two bytes
// more. ISO keyboards have another backslash beside the left shift key. Enter and slash are
// extended on the keypad.
enum {
    EXTENDED = 0xe0,
    PAUSE = 0xe1,
    KEY_ENTER = 0x1c,
    KEY_SLASH = 0x35,
    KEY_DELETE = 0x53,
    KEY_ISO = 0x56
};
#define FIRST_OF_BLOCK   0x47 // keypad, and the keys with arrows beside it
#define ESC              0x1b
#define DEL              0x7f
#define KEYS_RIGHT(left) ((u8)((left) << 1))

// By code. 0: nothing. 1 to 5: one of held_bits[]. With bit 7 a sequence, as xterm has it: ESC [
// and a final letter (O instead of [ for P to S, F1 to F4), or a number below 0x40 and ~. Num Lock
// counts as on.
static const char plain[] = "\0\33"
                            "1234567890-=\177\t"
                            "qwertyuiop[]\r\1"
                            "asdfghjkl;'`\2"
                            "\\zxcvbnm,./\3*"
                            "\4 \5\320\321\322\323\217\221\222\223\224\225"
                            "\0\000789-456+1230.\0\0\\\227\230";
static const char shifted[] = "\0\33"
                              "!@#$%^&*()_+\177\332"
                              "QWERTYUIOP{}\r\1"
                              "ASDFGHJKL:\"~\2"
                              "|ZXCVBNM<>?";
static const char block[] =
    "\310\301\205\0\304\0\303\0\306\302\206\202\203"; // extended, from FIRST_OF_BLOCK on
_Static_assert(sizeof plain == 0x5a && sizeof shifted == 0x37 && sizeof block == 14,
               "codes are indices");
static const u8 held_bits[] = {0,        KEYS_CTRL, KEYS_SHIFT, KEYS_RIGHT(KEYS_SHIFT),
                               KEYS_ALT, KEYS_CAPS};

static u8 keys_plain(u8 key) {
    if (key >= sizeof plain) return 0;
    return (u8)plain[key];
}

// Which bit of held it is; 0: none. Extended shifts are made up around other keys.
static u8 keys_modifier(u8 key, bool extended) {
    u8 what = keys_plain(key);
    if (what >= sizeof held_bits) return 0;
    u8 bit = held_bits[what];
    if (extended) return KEYS_RIGHT(bit & (KEYS_CTRL | KEYS_ALT));
    return bit;
}

static u8 keys_meaning(u8 key, bool extended, bool shift) {
    bool in_block = key >= FIRST_OF_BLOCK && key <= KEY_DELETE;
    if (extended && in_block) return (u8)block[key - FIRST_OF_BLOCK];
    if (extended && key != KEY_ENTER && key != KEY_SLASH) return 0;
    if (shift && key == KEY_ISO) return '|';
    if (shift && !extended && key < sizeof shifted) return (u8)shifted[key];
    return keys_plain(key);
}

// As terminals have it since the VT220: digits stand for what has no key of its own.
static u8 keys_with_ctrl(u8 c) {
    if (c >= '@' && c < DEL) return c & 0x1f;
    if (c >= '3' && c <= '7') return c - '3' + ESC;
    switch (c) {
    case ' ':
    case '2': return 0;
    case '8':
    case '?': return DEL;
    case '/': return 0x1f;
    default: return c;
    }
}

// modifiers: 0 for none, as xterm counts them: 1 shift, 2 alt, 4 ctrl.
static size_t keys_sequence(u8 what, u8 modifiers, u8 *bytes) {
    size_t count = 0;
    u8 number = 1;
    u8 final = what;
    if (what < 0x40) {
        number = what;
        final = '~';
    }
    if (final == 'Z') modifiers = 0; // shift and Tab
    bool is_f1_to_f4 = final >= 'P' && final <= 'S';
    bytes[count++] = ESC;
    bytes[count++] = is_f1_to_f4 && !modifiers ? 'O' : '[';
    if (number >= 10) bytes[count++] = '0' + number / 10;
    if (number > 1 || modifiers) bytes[count++] = '0' + number % 10;
    if (modifiers) {
        bytes[count++] = ';';
        bytes[count++] = '1' + modifiers;
    }
    bytes[count++] = final;
    return count;
}

size_t keys_decode(struct keys *keys, u8 code, u8 bytes[KEYS_BYTES]) {
    bool extended = keys->extended;
    bool skip = keys->skip > 0;
    keys->extended = !skip && code == EXTENDED;
    if (skip)
        keys->skip--;
    else if (code == PAUSE)
        keys->skip = 2;
    if (skip || code == EXTENDED || code == PAUSE) return 0;
    u8 key = code & (u8)~KEY_RELEASED;
    u8 bit = keys_modifier(key, extended);
    if (code & KEY_RELEASED) {
        keys->held &= (u8)~bit;
        return 0;
    }
    if (bit == KEYS_CAPS && !(keys->held & KEYS_CAPS))
        keys->held ^= KEYS_CAPS_ON; // one that is held repeats
    keys->held |= bit;
    if (bit) return 0;
    u8 both = keys->held | keys->held >> 1;
    bool shift = both & KEYS_SHIFT;
    bool ctrl = both & KEYS_CTRL;
    bool alt = both & KEYS_ALT;
    if (ctrl && alt && key == KEY_DELETE) return KEYS_RESTART;
    u8 c = keys_meaning(key, extended, shift);
    if (c & 0x80) {
        u8 modifiers = 0;
        if (shift) modifiers |= 1;
        if (alt) modifiers |= 2;
        if (ctrl) modifiers |= 4;
        return keys_sequence(c & 0x7f, modifiers, bytes);
    }
    if (!c) return 0;
    bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    if (keys->held & KEYS_CAPS_ON && is_letter) c ^= 0x20;
    if (ctrl) c = keys_with_ctrl(c);
    size_t count = 0;
    if (alt) bytes[count++] = ESC;
    bytes[count++] = c;
    return count;
}
