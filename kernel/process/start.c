// Builds what a program finds on its stack. From the stack pointer upwards (argv and envp point
// into the command line part):
//
//   argc | argv.. 0 | envp.. 0 | auxv.. {0,0} | padding | 16 random bytes | "x86_64" |
//   command line part | zeroes
#include "kernel/lib/options.h"
#include "kernel/lib/string.h"
#include "kernel/process/program.h"

static const char platform[] = "x86_64";
static const u8 zeroes[16]; // at least as many end the last word

// Stores bytes, unless something before could not be stored.
static void start_put(u64 to, const void *from, u64 bytes, bool *ok) {
    if (*ok) *ok = copy_to_user(user(to), from, bytes);
}

// Stores pointers to the values of a key, in the command line part, and a NULL from *at on, which
// moves. Returns their number.
static u64 start_put_values(const struct start *start, const char *key, u64 command, u64 *at,
                            bool *ok) {
    u64 count = 0;
    u64 offset = 0;
    u64 length;
    const char *word;
    while ((word = command_word(start->command, start->command_length, &offset, &length))) {
        const char *value = command_value(word, length, key);
        if (!value) continue;
        u64 pointer = command + (u64)(value - start->command);
        start_put(*at + 8 * count, &pointer, sizeof pointer, ok);
        count++;
    }
    start_put(*at + 8 * count, zeroes, 8, ok);
    *at += 8 * (count + 1);
    return count;
}

// Stores everything below STACK_END. Returns the program's first stack pointer, or 0: it is too
// long for start->limit, or there is no memory.
u64 start_stack(const struct start *start) {
    const u64 top = STACK_END - sizeof zeroes;
    const u64 command = top - start->command_length;
    const u64 random = ROUND_DOWN(command - sizeof platform - sizeof start->random, 16);
    u64 words = 0;
    u64 offset = 0;
    u64 length;
    u64 name = top; // the program's name is its first argument; without one, a zero
    const char *word;
    for (; (word = command_word(start->command, start->command_length, &offset, &length));
         words++) {
        const char *value = command_value(word, length, "arg");
        if (name == top && value) name = command + (u64)(value - start->command);
    }

    const u64 own_auxv[] = {AT_RANDOM, random, AT_PLATFORM, random + sizeof start->random,
                            AT_EXECFN, name,   AT_NULL,     0};
    // Or less, since not every word is a value.
    u64 vectors = 8 * (1 + words + 2) + start->auxv_bytes + sizeof own_auxv;
    u64 sp = ROUND_DOWN(random - vectors, 16);
    u64 at = sp + 8;
    if (STACK_END - sp > start->limit) return 0;
    bool ok = true;
    start_put(random, start->random, sizeof start->random, &ok);
    start_put(random + sizeof start->random, platform, sizeof platform, &ok);
    start_put(command, start->command, start->command_length, &ok);
    start_put(top, zeroes, sizeof zeroes, &ok);
    u64 args = start_put_values(start, "arg", command, &at, &ok);
    start_put_values(start, "env", command, &at, &ok);
    start_put(sp, &args, sizeof args, &ok);
    start_put(at, start->auxv, start->auxv_bytes, &ok);
    start_put(at + start->auxv_bytes, own_auxv, sizeof own_auxv, &ok);
    if (!ok) return 0;
    return sp;
}
