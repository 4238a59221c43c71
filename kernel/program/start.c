// See start.h. Two walks over the words: the first measures, the second stores. From the stack pointer upwards:
// argc | argv.. 0 | envp.. 0 | auxv.. {0,0} | padding | 16 random bytes | "x86_64" | arguments | environment | name | 0
#include "kernel/program/start.h"

#include <elf.h>
#include "kernel/lib/string.h"

#define OWN_AUXV 8 // words

static const char platform[] = "x86_64";

const char *command_word(const char *command, u64 length, u64 *offset, u64 *word_length) {
    if (*offset >= length) return NULL;
    const char *word = command + *offset;
    *word_length = strnlen(word, length - *offset);
    *offset += *word_length + 1;
    return word;
}

const char *command_value(const char *word, u64 word_length, const char *key) {
    u64 bytes = strlen(key);
    bool is_key = word_length > bytes && memcmp(word, key, bytes) == 0 && word[bytes] == '=';
    return is_key ? word + bytes + 1 : NULL;
}

struct walk {
    const struct start *start;
    u64 strings, pointers; // where the next string and the next pointer go
    bool ok;
};

static void put_bytes(struct walk *walk, u64 to, const void *from, u64 bytes) {
    walk->ok = walk->ok && (!bytes || walk->start->put(to, from, bytes));
}

static void put_pointer(struct walk *walk, u64 value) {
    put_bytes(walk, walk->pointers, &value, sizeof value);
    walk->pointers += sizeof value;
}

static void put_string(struct walk *walk, const char *text, u64 length) {
    put_bytes(walk, walk->strings, text, length);
    put_bytes(walk, walk->strings + length, "", 1);
    walk->strings += length + 1;
}

// All words of a key: counts them and their bytes, NULs included, and stores them when walk is given.
static u64 each_value(const struct start *start, const char *key, struct walk *walk, u64 *bytes) {
    u64 count = 0, offset = 0, length;
    const char *word;
    while ((word = command_word(start->command, start->command_length, &offset, &length))) {
        const char *value = command_value(word, length, key);
        if (!value) continue;
        u64 value_length = length - (u64)(value - word);
        count++;
        *bytes += value_length + 1;
        if (!walk) continue;
        put_pointer(walk, walk->strings);
        put_string(walk, value, value_length);
    }
    return count;
}

static void put_auxv(struct walk *walk, u64 random, u64 name) {
    const struct start *start = walk->start;
    const u64 own[OWN_AUXV] = {AT_RANDOM, random, AT_PLATFORM, random + sizeof start->random,
                               AT_EXECFN, name,   AT_NULL,     0};
    put_bytes(walk, walk->pointers, start->auxv, start->auxv_bytes);
    put_bytes(walk, walk->pointers + start->auxv_bytes, own, sizeof own);
}

u64 start_stack(const struct start *start) {
    u64 text = 0, ignored = 0;
    u64 args = each_value(start, "arg", NULL, &text), envs = each_value(start, "env", NULL, &text);
    u64 random = start->top - ROUND_UP(sizeof start->random + sizeof platform + text + 8, 16); // 8: zeroes at the top
    u64 vectors = sizeof(u64) * (1 + args + 1 + envs + 1 + OWN_AUXV) + start->auxv_bytes;
    u64 sp = ROUND_DOWN(random - vectors, 16);
    if (start->top - sp > start->limit) return 0;

    u64 strings = random + sizeof start->random + sizeof platform;
    struct walk walk = {.start = start, .strings = strings, .pointers = sp, .ok = true};
    put_bytes(&walk, random, start->random, sizeof start->random);
    put_bytes(&walk, random + sizeof start->random, platform, sizeof platform);
    put_pointer(&walk, args);
    each_value(start, "arg", &walk, &ignored);
    put_pointer(&walk, 0);
    each_value(start, "env", &walk, &ignored);
    put_pointer(&walk, 0);
    // The program's name is its first argument; without one, the zero byte behind the strings.
    put_auxv(&walk, random, args ? strings : start->top - 8);
    return walk.ok ? sp : 0;
}
