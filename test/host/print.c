// kernel/lib/print.c: the formats vmos uses, and the edges of the buffer.
#include <stdlib.h>
#include <string.h>

#include "test/check.h"
#include "kernel/lib/print.c"

static bool prints(const char *want, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool prints(const char *want, const char *fmt, ...) {
    char text[300];
    va_list args;
    va_start(args, fmt);
    int length = vformat(text, sizeof text, fmt, args);
    va_end(args);
    if (!strcmp(text, want) && length == (int)strlen(want)) return true;
    fprintf(stderr, "%s: got \"%s\", %d\n", fmt, text, length);
    return false;
}

static void test_formats(void) {
    CHECK(prints("", "%s", ""));
    CHECK(prints("a 100% b", "a 100%% b"));
    CHECK(prints("0 -1 2147483647 -2147483647", "%d %d %d %d", 0, -1, 2147483647, -2147483647));
    CHECK(prints("4294967295 ffffffff DEADBEEF", "%u %x %X", 4294967295u, 4294967295u, 0xdeadbeef));
    CHECK(prints("18446744073709551615", "%lu", UINT64_MAX));
    CHECK(prints("18446744073709551615", "%zu", SIZE_MAX));
    CHECK(prints("-9223372036854775807", "%ld", -INT64_MAX));
    CHECK(prints("fffffeffc0000000", "%lx", 0xfffffeffc0000000ul));
    CHECK(prints("0xfffffeffc0000000", "%#lx", 0xfffffeffc0000000ul));
    CHECK(prints("000000000000abcd 00ff", "%016lx %04x", 0xabcdul, 255u));
    CHECK(prints("    7|7    |00007", "%5d|%-5d|%05d", 7, 7, 7));
    CHECK(prints("  ab|ab  |abcdef", "%4s|%-4s|%4s", "ab", "ab", "abcdef"));
    CHECK(prints("abc", "%.*s", 3, "abcdef"));
    CHECK(prints("  abc", "%*.*s", 5, 3, "abcdef"));
    CHECK(prints("x", "%c", 'x'));
    const char *volatile none = NULL;
    CHECK(prints("null", "%s", none));
    CHECK(prints("00000000deadbeef", "%p", (void *)0xdeadbeef));
    CHECK(prints("255 127 65535", "%hhu %hhd %hu", (u8)255, (signed char)127, (u16)65535));
    CHECK(prints("ff fffe -2 -1", "%hhx %hx %hd %hhi", -1, -2, 0xfffe, 0xff));
    CHECK(prints("0 0x1|-007|  -7|-7  |0x00ff| 0xff", "%#x %#x|%04d|%4d|%-4d|%#06x|%#5x", 0u, 1u,
                 -7, -7, -7, 255u, 255u));
    CHECK(prints("-9223372036854775808 -2147483648", "%ld %d", INT64_MIN, INT32_MIN));
    CHECK(prints("    x|x    ", "%5c|%-5c", 'x', 'x'));
    CHECK(prints("%o 8", "%o %d", 8, 7)); // what is not known takes no argument
}

static void test_edges(void) {
    char text[8];
    memset(text, '#', sizeof text);
    CHECK(format(text + 1, 0, "abc") == 3);
    CHECK(text[0] == '#' && text[1] == '#');
    CHECK(format(NULL, 0, "%s", "abcdefghij") == 10);
    CHECK(format(text, 1, "abc") == 3 && !text[0] && text[1] == '#');
    CHECK(format(text, 4, "%s", "abc") == 3 && !strcmp(text, "abc") && text[4] == '#');
    CHECK(format(text, 4, "%s", "abcdefghij") == 10 && !strcmp(text, "abc") && text[4] == '#');
    CHECK(format(text, 4, "%d", 123456) == 6 && !strcmp(text, "123") && text[4] == '#');

    // longer than any line of vmos
    char *want = malloc(2001), *got = malloc(2001);
    memset(want, 'w', 2000), want[2000] = 0;
    CHECK(format(got, 2001, "%s", want) == 2000 && !strcmp(got, want));
    CHECK(format(got, 1000, "%s", want) == 2000 && strlen(got) == 999);
    CHECK(format(got, SIZE_MAX, "%.10s", want) == 10 && strlen(got) == 10);
    free(want), free(got);

    // a limited string need not end
    char *word = malloc(5);
    memcpy(word, "hello", 5);
    CHECK(prints("hello", "%.*s", 5, word));
    free(word);
}

int main(void) {
    test_formats();
    test_edges();
    return check_done("print");
}
