// Fuzz target for kernel/lib/options.c: any bytes as a command line. What comes out is within its
// ranges, what is refused lies in the line and says why, and two readings agree.
#include <stdlib.h>
#include <string.h>

#include "kernel/lib/options.c"

#define PROMISE(condition) ((condition) ? (void)0 : abort())

static const char *line;
static u64 line_length, refused;

static void refuse(const char *word, u64 length, const char *why) {
    PROMISE(word >= line && length <= line_length && word + length <= line + line_length);
    PROMISE(!memchr(word, 0, length) && *why);
    refused++;
}

static void check(const struct options *o) {
    PROMISE((o->width == 0) == (o->height == 0));
    PROMISE(!o->width || o->bits == 15 || o->bits == 16 || o->bits == 24 || o->bits == 32);
    PROMISE(o->console >= 1 && o->console <= (CONSOLE_COM1 | CONSOLE_SCREEN) &&
            o->after <= AFTER_POWEROFF);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    struct options first, again;
    char *copy = malloc(size + 1); // of the exact length for the second reading
    line = (const char *)data, line_length = size, refused = 0;
    memset(&first, 0, sizeof first), memset(&again, 0, sizeof again);
    options_read(line, size, &first, refuse);
    check(&first);
    u64 offset = 0, length, words = 0;
    while (command_word(line, size, &offset, &length)) words++;
    PROMISE(refused <= words);
    // with the last NUL, or without, the words are the same
    memcpy(copy, data, size), copy[size] = 0;
    options_read(copy, size + (size && copy[size - 1]), &again, NULL);
    PROMISE(!memcmp(&first, &again, sizeof first));
    free(copy);
    return 0;
}
