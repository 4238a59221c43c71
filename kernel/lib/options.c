// Reads the image's command line, whose words options.h lists. The words are untrusted: the last
// one may lack its NUL, and a number may be of any size.
#include "kernel/lib/options.h"
#include "kernel/lib/string.h"

#define SIDE_MAX 65535u

// The word at *offset of a command line of length bytes, and its length; moves *offset behind it.
// NULL at the end. The word lies in the command line and may have no NUL behind it.
const char *command_word(const char *command, u64 length, u64 *offset, u64 *word_length) {
    if (*offset >= length) return NULL;
    const char *word = command + *offset;
    *word_length = strnlen(word, length - *offset);
    *offset += *word_length + 1;
    return word;
}

// What stands behind "key=" in a word; it ends where the word ends. NULL when the word has another
// key.
const char *command_value(const char *word, u64 word_length, const char *key) {
    u64 bytes = strlen(key);
    if (word_length <= bytes || memcmp(word, key, bytes) != 0 || word[bytes] != '=') return NULL;
    return word + bytes + 1;
}

// How many bytes of START_DATA_MAX the words may need on a program's first stack. Not every word
// comes to lie there, so it may be fewer.
u64 command_start_bytes(const char *command, u64 length) {
    u64 words = 0;
    u64 offset = 0;
    u64 bytes;
    while (command_word(command, length, &offset, &bytes)) words++;
    return length + 8 * words + START_DATA_OTHER;
}

struct text {
    const char *at, *end;
};

static bool option_is(struct text text, const char *what) {
    u64 bytes = strlen(what);
    return (u64)(text.end - text.at) == bytes && memcmp(text.at, what, bytes) == 0;
}

static bool option_take(struct text *text, char c) {
    bool here = text->at < text->end && *text->at == c;
    text->at += here;
    return here;
}

// A decimal number from 1 to max in front of the text, which moves behind it; 0: there is none.
static u64 option_take_number(struct text *text, u64 max) {
    u64 value = 0;
    for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
        u64 digit = (u64)(*text->at - '0');
        if (value > (max - digit) / 10) return 0;
        value = value * 10 + digit;
    }
    return value;
}

static bool option_video(struct text value, struct options *options) {
    u64 width = 0;
    u64 height = 0;
    u64 bits = 32;
    if (!option_is(value, "text")) {
        width = option_take_number(&value, SIDE_MAX);
        if (option_take(&value, 'x')) height = option_take_number(&value, SIDE_MAX);
        if (option_take(&value, 'x')) bits = option_take_number(&value, 32);
        bool is_depth = bits == 15 || bits == 16 || bits == 24 || bits == 32;
        if (!width || !height || !is_depth || value.at != value.end) return false;
    }
    options->width = (u16)width;
    options->height = (u16)height;
    options->bits = (u8)bits;
    return true;
}

static bool option_memory(struct text value, struct options *options) {
    static const char units[] = "KMGT";
    u64 number = option_take_number(&value, ~0ull);
    for (u32 i = 0; i < sizeof units - 1; i++) {
        u32 shift = 10 * (i + 1);
        if (!option_take(&value, units[i])) continue;
        if (number > ~0ull >> shift) return false;
        number <<= shift;
        break;
    }
    if (!number || value.at != value.end) return false;
    options->memory = number;
    return true;
}

static bool option_cpus(struct text value, struct options *options) {
    u64 number = option_take_number(&value, ~0u);
    if (!number || value.at != value.end) return false;
    options->cpus = (u32)number;
    return true;
}

static bool option_console(struct text value, struct options *options) {
    if (option_is(value, "com1"))
        options->console = CONSOLE_COM1;
    else if (option_is(value, "screen"))
        options->console = CONSOLE_SCREEN;
    else if (option_is(value, "com1,screen") || option_is(value, "screen,com1"))
        options->console = CONSOLE_COM1 | CONSOLE_SCREEN;
    else
        return false;
    return true;
}

static bool option_after(struct text value, struct options *options) {
    if (option_is(value, "halt"))
        options->after = AFTER_HALT;
    else if (option_is(value, "reboot"))
        options->after = AFTER_REBOOT;
    else if (option_is(value, "poweroff"))
        options->after = AFTER_POWEROFF;
    else
        return false;
    return true;
}

static bool option_overcommit(struct text value, struct options *options) {
    if (!option_is(value, "2")) return false;
    options->overcommit = 2;
    return true;
}

static bool option_tty(struct text value, struct options *options) {
    if (!option_is(value, "1")) return false;
    options->tty = true;
    return true;
}

static bool option_anything(struct text value, struct options *options) { // start.c's
    (void)value, (void)options;
    return true;
}

static const struct key {
    const char *name;
    bool (*read)(struct text value, struct options *options);
    const char *wants;
} keys[] = {
    {"arg", option_anything, ""},
    {"env", option_anything, ""},
    {"tty", option_tty, "wants 1"},
    {"console", option_console, "wants com1, screen, or com1,screen"},
    {"video", option_video,
     "wants text, WIDTHxHEIGHT or WIDTHxHEIGHTxBITS, with 15, 16, 24 or 32 bits"},
    {"mem", option_memory,
     "wants a number of bytes above 0, with K, M, G or T behind it or without"},
    {"cpus", option_cpus, "wants a number above 0"},
    {"overcommit", option_overcommit, "wants 2"},
    {"after", option_after, "wants halt, reboot or poweroff"},
};

// NULL, or why the word is ignored.
static const char *option_read_word(const char *word, u64 length, struct options *options) {
    struct text text = {word, word + length};
    if (option_is(text, "quiet")) {
        options->quiet = true;
        return NULL;
    }
    if (option_is(text, "timeline")) {
        options->timeline = true;
        return NULL;
    }
    for (const struct key *key = keys; key < keys + ARRAY_SIZE(keys); key++) {
        text.at = command_value(word, length, key->name);
        if (!text.at) continue;
        if (key->read(text, options)) return NULL;
        return key->wants;
    }
    return "is not known";
}

// Reads all the words that are vmos's own. ignored, unless it is NULL, is called for each word that
// is unknown or has a bad value; why is the end of a sentence: "is not known", "wants ...".
void options_read(const char *command, u64 length, struct options *options,
                  void (*ignored)(const char *word, u64 word_length, const char *why)) {
    u64 offset = 0;
    u64 word_length;
    const char *word;
    *options = (struct options){.console = CONSOLE_COM1 | CONSOLE_SCREEN};
    while ((word = command_word(command, length, &offset, &word_length))) {
        const char *why = option_read_word(word, word_length, options);
        if (why && ignored) ignored(word, word_length, why);
    }
}
