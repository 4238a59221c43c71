// kernel/lib/options.c: every word, every kind of bad value, numbers at their limits, the last of
// several words, and a last one without its NUL, which lies at the end of its memory so that the
// sanitizer sees a byte read behind it.
#include <stdlib.h>
#include <string.h>

#include "test/check.h"
#include "kernel/lib/options.c"

static char refused[4096];          // "word why;" for each
static struct options read_options; // what the last read() gave

static void refuse(const char *word, u64 length, const char *why) {
    size_t used = strlen(refused);
    snprintf(refused + used, sizeof refused - used, "%.*s %s;", (int)length, word, why);
}

// Reads words, each with its NUL but for the last when cut. Returns what was refused.
static const char *read_bytes(const char *words, size_t length) {
    char *exact = malloc(length ? length : 1);
    memcpy(exact, words, length);
    *refused = 0;
    memset(&read_options, 0xee, sizeof read_options);
    options_read(exact, length, &read_options, refuse);
    struct options silent;
    options_read(exact, length, &silent, NULL);
    CHECK(silent.memory == read_options.memory && silent.cpus == read_options.cpus);
    free(exact);
    return refused;
}
#define READ(words)     read_bytes(words, sizeof(words))     // with the NUL of the string
#define READ_CUT(words) read_bytes(words, sizeof(words) - 1) // without it
#define GOOD(words)     CHECK(!*READ(words) && !*READ_CUT(words))
#define BAD(words, why)                                                                            \
    CHECK(!strcmp(READ(words), words " " why ";") && !strcmp(READ_CUT(words), words " " why ";"))

static bool is_default(void) {
    const struct options *o = &read_options;
    return !o->memory && !o->cpus && !o->width && !o->height && !o->bits && !o->after &&
           !o->quiet && !o->timeline && !o->tty && o->console == (CONSOLE_COM1 | CONSOLE_SCREEN);
}

static void test_words(void) {
    CHECK(!*read_bytes("", 0) && is_default());
    GOOD("arg=quiet");
    CHECK(is_default());
    GOOD("env=cpus=1");
    CHECK(is_default());
    GOOD("arg=");
    CHECK(is_default());
    GOOD("tty=1");
    CHECK(read_options.tty);
    GOOD("quiet");
    CHECK(read_options.quiet && !read_options.timeline);
    GOOD("timeline");
    CHECK(read_options.timeline && !read_options.quiet);
    GOOD("console=com1");
    CHECK(read_options.console == CONSOLE_COM1);
    GOOD("console=screen");
    CHECK(read_options.console == CONSOLE_SCREEN);
    GOOD("console=com1,screen");
    CHECK(read_options.console == (CONSOLE_COM1 | CONSOLE_SCREEN));
    GOOD("console=screen,com1");
    CHECK(read_options.console == (CONSOLE_COM1 | CONSOLE_SCREEN));
    GOOD("after=halt");
    CHECK(read_options.after == AFTER_HALT);
    GOOD("after=reboot");
    CHECK(read_options.after == AFTER_REBOOT);
    GOOD("after=poweroff");
    CHECK(read_options.after == AFTER_POWEROFF);
    GOOD("cpus=1");
    CHECK(read_options.cpus == 1);
    GOOD("cpus=007");
    CHECK(read_options.cpus == 7);
    GOOD("cpus=4294967295");
    CHECK(read_options.cpus == 4294967295u);
    GOOD("video=text");
    CHECK(is_default() || (read_options.bits == 32 && !read_options.width));
    GOOD("video=1x1");
    CHECK(read_options.width == 1 && read_options.height == 1 && read_options.bits == 32);
    GOOD("video=65535x65535x15");
    CHECK(read_options.width == 65535 && read_options.height == 65535);
    CHECK(read_options.bits == 15);
    GOOD("video=1024x768x16");
    CHECK(read_options.width == 1024 && read_options.height == 768);
    GOOD("video=1024x768x24");
    CHECK(read_options.bits == 24);
    GOOD("video=1024x768x32");
    CHECK(read_options.bits == 32);
}

static void test_memory(void) {
    GOOD("mem=1");
    CHECK(read_options.memory == 1);
    GOOD("mem=3K");
    CHECK(read_options.memory == 3ull << 10);
    GOOD("mem=3M");
    CHECK(read_options.memory == 3ull << 20);
    GOOD("mem=3G");
    CHECK(read_options.memory == 3ull << 30);
    GOOD("mem=3T");
    CHECK(read_options.memory == 3ull << 40);
    GOOD("mem=18446744073709551615");
    CHECK(read_options.memory == ~0ull);
    GOOD("mem=18014398509481983K");
    CHECK(read_options.memory == ~0ull << 10);
    GOOD("mem=16777215T");
    CHECK(read_options.memory == ~0ull << 40);
}

static void test_bad(void) {
    static const char memory[] =
        "wants a number of bytes above 0, with K, M, G or T behind it or without";
    static const char *const bad_memory[] = {"",
                                             "0",
                                             "0K",
                                             "K",
                                             "x",
                                             "-1",
                                             "+1",
                                             " 1",
                                             "1 ",
                                             "1k",
                                             "1KB",
                                             "1KK",
                                             "1.5",
                                             "0x1",
                                             "1,000",
                                             "16777216T",
                                             "18014398509481984K",
                                             "18446744073709551616",
                                             "99999999999999999999999999",
                                             "1\xff"};
    char word[100], expected[300];
    for (size_t i = 0; i < ARRAY_SIZE(bad_memory); i++) {
        snprintf(word, sizeof word, "mem=%s", bad_memory[i]);
        snprintf(expected, sizeof expected, "%s %s;", word, memory);
        CHECK(!strcmp(read_bytes(word, strlen(word) + 1), expected) && is_default());
    }
    BAD("cpus=0", "wants a number above 0");
    BAD("cpus=", "wants a number above 0");
    BAD("cpus=4294967296", "wants a number above 0");
    BAD("cpus=4K", "wants a number above 0");
    BAD("tty=0", "wants 1");
    BAD("tty=", "wants 1");
    BAD("tty=11", "wants 1");
    BAD("after=", "wants halt, reboot or poweroff");
    BAD("after=halted", "wants halt, reboot or poweroff");
    BAD("after=hal", "wants halt, reboot or poweroff");
    BAD("after=Halt", "wants halt, reboot or poweroff");
    BAD("console=", "wants com1, screen, or com1,screen");
    BAD("console=com1,", "wants com1, screen, or com1,screen");
    BAD("console=com2", "wants com1, screen, or com1,screen");
#define VIDEO "wants text, WIDTHxHEIGHT or WIDTHxHEIGHTxBITS, with 15, 16, 24 or 32 bits"
    BAD("video=", VIDEO);
    BAD("video=texts", VIDEO);
    BAD("video=1024", VIDEO);
    BAD("video=1024x", VIDEO);
    BAD("video=x768", VIDEO);
    BAD("video=0x768", VIDEO);
    BAD("video=1024x0", VIDEO);
    BAD("video=65536x1", VIDEO);
    BAD("video=1x65536", VIDEO);
    BAD("video=1x1x", VIDEO);
    BAD("video=1x1x8", VIDEO);
    BAD("video=1x1x33", VIDEO);
    BAD("video=1x1x32x", VIDEO);
    BAD("video=1x1x32 ", VIDEO);
    BAD("video=1X1", VIDEO);
    CHECK(is_default());
    BAD("quiet=1", "is not known");
    BAD("Quiet", "is not known");
    BAD("quie", "is not known");
    BAD("timelines", "is not known");
    BAD("arg", "is not known");
    BAD("args=x", "is not known");
    BAD("=", "is not known");
    BAD("=x", "is not known");
    BAD("mem", "is not known");
    CHECK(is_default());
    CHECK(!strcmp(READ(""), " is not known;")); // an empty word
    CHECK(!strcmp(READ("\0quiet"), " is not known;") && read_options.quiet);
}

// The last good one of a key; a bad one takes nothing back.
static void test_several(void) {
    GOOD("mem=1\0cpus=9\0mem=2K\0env=mem=7\0cpus=3");
    CHECK(read_options.memory == 2048 && read_options.cpus == 3);
    GOOD("after=halt\0after=reboot");
    CHECK(read_options.after == AFTER_REBOOT);
    GOOD("console=com1\0console=screen");
    CHECK(read_options.console == CONSOLE_SCREEN);
    GOOD("video=640x480x16\0video=800x600");
    CHECK(read_options.width == 800 && read_options.bits == 32);
    GOOD("video=640x480x16\0video=text");
    CHECK(!read_options.width && !read_options.height);
    CHECK(*READ("mem=5\0mem=x") && read_options.memory == 5);
    CHECK(*READ("cpus=5\0cpus=0") && read_options.cpus == 5);
    CHECK(*READ("tty=1\0tty=0") && read_options.tty);
    CHECK(*READ("after=halt\0after=x") && read_options.after == AFTER_HALT);
    CHECK(*READ("console=com1\0console=x") && read_options.console == CONSOLE_COM1);
    CHECK(*READ("video=640x480\0video=9x9x9") && read_options.width == 640 &&
          read_options.bits == 32);
    CHECK(!strcmp(
        READ("a\0b=c\0quiet\0mem=1x"),
        "a is not known;b=c is not known;mem=1x wants a number of bytes above 0, with K, M, G or T behind it or "
        "without;"));
}

static void test_one_by_one(void) {
    static const char line[] = "arg=a=b\0\0env=c\0last";
    u64 offset = 0, length;
    const char *word = command_word(line, sizeof line - 1, &offset, &length);
    CHECK(word == line && length == 7 && command_value(word, length, "arg") == line + 4);
    CHECK(!command_value(word, length, "ar") && !command_value(word, 3, "arg"));
    CHECK(command_value(word, 4, "arg") == line + 4);
    CHECK(command_word(line, sizeof line - 1, &offset, &length) == line + 8 && !length);
    CHECK(command_word(line, sizeof line - 1, &offset, &length) == line + 9 && length == 5);
    CHECK(command_word(line, sizeof line - 1, &offset, &length) == line + 15 && length == 4);
    CHECK(!command_word(line, sizeof line - 1, &offset, &length));
    CHECK(!command_word(line, sizeof line - 1, &offset, &length));
}

int main(void) {
    test_words();
    test_memory();
    test_bad();
    test_several();
    test_one_by_one();
    return check_done("options");
}
