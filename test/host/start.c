// start.c: the stack a program starts with, read back the way a libc reads it.
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include "kernel/process/start.c"
#include "kernel/lib/options.c"
#include "test/check.h"

#define TOP   STACK_END
#define BYTES 65536

static u8 stack[BYTES];
static u64 lowest, allowed;

bool copy_to_user(uaddr place, const void *from, u64 bytes) {
    u64 to = place.at;
    if (to < TOP - allowed || to > TOP || bytes > TOP - to) return false;
    memcpy(stack + BYTES - (TOP - to), from, bytes);
    if (to < lowest) lowest = to;
    return true;
}

static u64 word(u64 at) {
    u64 value;
    CHECK(at >= TOP - BYTES && at <= TOP - 8);
    memcpy(&value, stack + BYTES - (TOP - at), 8);
    return value;
}
static const char *text(u64 at) { return (const char *)stack + BYTES - (TOP - at); }

static u64 build(const char *command, u64 length, u64 limit) {
    static const u64 auxv[] = {AT_PAGESZ, 4096, AT_PHNUM, 9};
    struct start start = {
        .command = command, .command_length = length, .limit = limit, .auxv = auxv};
    start.auxv_bytes = sizeof auxv;
    memcpy(start.random, "0123456789abcdef", 16);
    memset(stack, 0xee, sizeof stack);
    lowest = TOP;
    return start_stack(&start);
}

// args and envs: what must be there, in order, ending with NULL.
static void check(const char *command, u64 length, const char *const *args,
                  const char *const *envs) {
    char *copy = malloc(length + 1); // so that ASan sees a read beyond the part
    memcpy(copy, command, length);
    char *tight = realloc(copy, length ? length : 1);
    u64 sp = build(tight, length, BYTES), at = sp + 8, seen = 0, argc = 0;
    CHECK(sp && sp % 16 == 0 && sp == lowest);
    while (args[argc]) argc++;
    CHECK(word(sp) == argc);
    for (u64 i = 0; i < argc; i++, at += 8) CHECK(strcmp(text(word(at)), args[i]) == 0);
    CHECK(word(at) == 0);
    for (at += 8; *envs; envs++, at += 8) CHECK(strcmp(text(word(at)), *envs) == 0);
    CHECK(word(at) == 0);
    for (at += 8; word(at) != AT_NULL; at += 16) {
        u64 value = word(at + 8);
        seen |= 1ull << word(at);
        if (word(at) == AT_PAGESZ) CHECK(value == 4096);
        if (word(at) == AT_PHNUM) CHECK(value == 9);
        if (word(at) == AT_RANDOM)
            CHECK(value % 16 == 0 && memcmp(text(value), "0123456789abcdef", 16) == 0);
        if (word(at) == AT_PLATFORM) CHECK(strcmp(text(value), "x86_64") == 0);
        if (word(at) == AT_EXECFN) CHECK(strcmp(text(value), argc ? args[0] : "") == 0 || !argc);
    }
    CHECK(seen == (1ull << AT_PAGESZ | 1ull << AT_PHNUM | 1ull << AT_RANDOM | 1ull << AT_PLATFORM |
                   1ull << AT_EXECFN));
    free(tight);
}

#define LIST(...)                                                                                  \
    (const char *const[]) { __VA_ARGS__, NULL }
#define NONE                                                                                       \
    (const char *const[]) { NULL }
#define PART(s) s, sizeof(s)

int main(void) {
    allowed = BYTES;
    check(PART("arg=prog"), LIST("prog"), NONE);
    check(PART("arg=prog\0arg=with space\0arg=\0env=A=b=c\0tty=1"), LIST("prog", "with space", ""),
          LIST("A=b=c"));
    check(PART("env=X=1\0arg=p\0env=Y=\0unknown\0arg=q"), LIST("p", "q"), LIST("X=1", "Y="));
    check("arg=cut off", 11, LIST("cut off"), NONE); // no NUL at the end of the part
    check("", 0, NONE, NONE);
    check(PART("=\0arg\0argx=1\0ar=2\0"), NONE, NONE);
    char many[6 * 500];
    const char *wanted[501] = {0};
    for (int i = 0; i < 500; i++) {
        memcpy(many + 6 * i, "arg=y", 6);
        wanted[i] = "y";
    }
    check(many, sizeof many, wanted, NONE);
    for (u64 limit = 0; limit < 4000;
         limit += 16) { // too long for the limit, or for the memory there is
        u64 sp = build(many, 600, limit);
        CHECK(sp == 0 || TOP - sp <= limit);
        allowed = limit;
        sp = build(many, 600, BYTES);
        CHECK(sp == 0 || TOP - sp <= limit);
        allowed = BYTES;
    }
    CHECK(build(many, 600, 4000) != 0);
    return check_done("start");
}
