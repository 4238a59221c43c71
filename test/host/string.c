// kernel/lib/string.c against the libc's functions, on all small lengths, alignments and overlaps.
#include <stdlib.h>
#include <string.h>

#include "test/check.h"

// The libc keeps its names; ours are built under others.
#define memcpy  our_memcpy
#define memmove our_memmove
#define memset  our_memset
#define memcmp  our_memcmp
#define strlen  our_strlen
#define strnlen our_strnlen
#define strcmp  our_strcmp
#include "kernel/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strnlen
#undef strcmp

enum { SIZE = 96, LONGEST = 40 };

static void fill(u8 *buffer, u8 salt) {
    for (int i = 0; i < SIZE; i++) buffer[i] = (u8)(i * 7 + salt);
}

static void test_copies(void) {
    u8 from[SIZE], ours[SIZE], theirs[SIZE];
    fill(from, 3);
    for (size_t length = 0; length <= LONGEST; length++)
        for (size_t a = 0; a < 16; a++)
            for (size_t b = 0; b < 16; b++) {
                fill(ours, 100), fill(theirs, 100);
                CHECK(our_memcpy(ours + a, from + b, length) == ours + a);
                memcpy(theirs + a, from + b, length);
                CHECK(!memcmp(ours, theirs, SIZE));
            }
}

// Every distance between -LONGEST and LONGEST, so that blocks overlap by all amounts in both
// directions.
static void test_moves(void) {
    u8 ours[SIZE], theirs[SIZE];
    for (size_t length = 0; length <= LONGEST; length++)
        for (size_t from = 0; from <= LONGEST; from++)
            for (size_t to = 0; to <= LONGEST; to++) {
                fill(ours, 9), fill(theirs, 9);
                CHECK(our_memmove(ours + to, ours + from, length) == ours + to);
                memmove(theirs + to, theirs + from, length);
                CHECK(!memcmp(ours, theirs, SIZE));
            }
}

static void test_sets(void) {
    static const int bytes[] = {0, 1, 0x80, 0xff, -1, 0x1234};
    u8 ours[SIZE], theirs[SIZE];
    for (size_t length = 0; length <= LONGEST; length++)
        for (size_t at = 0; at < 16; at++)
            for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
                fill(ours, 5), fill(theirs, 5);
                CHECK(our_memset(ours + at, bytes[i], length) == ours + at);
                memset(theirs + at, bytes[i], length);
                CHECK(!memcmp(ours, theirs, SIZE));
            }
}

static int sign(int n) { return (n > 0) - (n < 0); }

static void test_compares(void) {
    u8 a[SIZE], b[SIZE];
    fill(a, 1), fill(b, 1);
    for (size_t length = 0; length <= LONGEST; length++)
        for (size_t at = 0; at < length + 3; at++)
            for (int difference = -1; difference <= 1; difference++) {
                b[at + 1] = (u8)(a[at + 1] + difference * 0x80 + difference);
                CHECK(sign(our_memcmp(a + 1, b + 1, length)) == sign(memcmp(a + 1, b + 1, length)));
                b[at + 1] = a[at + 1];
            }
    // exactly as long as the data: a read behind it is the sanitizer's to see
    u8 *x = malloc(13), *y = malloc(13);
    memset(x, 1, 13), memset(y, 1, 13);
    CHECK(our_memcmp(x, y, 13) == 0);
    free(x), free(y);
}

static void test_strings(void) {
    static const char *const words[] = {"",    "a",    "b",     "ab",          "abc",
                                        "abd", "\x80", "a\x80", "abcdefghijk", "abcdefghijl"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        CHECK(our_strlen(words[i]) == strlen(words[i]));
        for (size_t max = 0; max < 14; max++)
            CHECK(our_strnlen(words[i], max) == strnlen(words[i], max));
        for (size_t j = 0; j < ARRAY_SIZE(words); j++) {
            CHECK(sign(our_strcmp(words[i], words[j])) == sign(strcmp(words[i], words[j])));
        }
    }
    const char unterminated[3] = {'a', 'b', 'c'};
    CHECK(our_strnlen(unterminated, 3) == 3);
}

int main(void) {
    test_copies();
    test_moves();
    test_sets();
    test_compares();
    test_strings();
    return check_done("string");
}
