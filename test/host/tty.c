// tty.c: what is typed, what is echoed, what a read gets.
#include <string.h>
#include "kernel/file/tty.c"
#include "test/check.h"

static char shown[8192];
static size_t shown_bytes;
static struct tty tty;

static void show(const void *bytes, size_t count) {
    if (shown_bytes + count < sizeof shown) memcpy(shown + shown_bytes, bytes, count);
    shown_bytes += count;
}

static void start(void) {
    tty_init(&tty, show);
    shown_bytes = 0;
    memset(shown, 0, sizeof shown);
}

static int type(const char *keys) {
    int signal = 0;
    while (*keys) signal = tty_input(&tty, (u8)*keys++);
    return signal;
}

// One look of a read that goes on: what it gets, and whether it is over then.
static u64 now;
static bool gets(struct tty_reader *reader, size_t bytes, const char *text, bool over) {
    u8 to[8192];
    size_t count = tty_read(&tty, reader, to, bytes, now);
    return count == strlen(text) && memcmp(to, text, count) == 0 && reader->over == over;
}

// A read of at most bytes gives exactly this text; NULL: it waits.
static bool reads(size_t bytes, const char *text) {
    struct tty_reader reader = {0};
    if (!bytes) return true; // nobody asks
    return text ? gets(&reader, bytes, text, true) : gets(&reader, bytes, "", false);
}

static bool shows(const char *text) {
    return shown_bytes == strlen(text) && memcmp(shown, text, shown_bytes) == 0;
}

static void lines(void) {
    start();
    CHECK(reads(100, NULL));
    type("ab");
    CHECK(reads(100, NULL) && !tty_readable(&tty) && tty_waiting(&tty) == 0);
    type("c\rsecond\nthird");
    CHECK(shows("abc\nsecond\nthird"));
    CHECK(reads(2, "ab") && reads(100, "c\n") && reads(0, "") && reads(7, "second\n") &&
          reads(100, NULL));
    type("\n");
    CHECK(reads(100, "third\n"));
}

static void editing(void) {
    start();
    type("ax\x7f"
         "bcd\b\be\n");
    CHECK(reads(100, "abe\n") && shows("ax\b \bbcd\b \b\b \be\n"));
    start();
    type("\x7fone two  \x17\x17x\x01\x7f\n");
    CHECK(reads(100, "x\n"));
    start();
    type("gone\x15kept\n");
    CHECK(reads(100, "kept\n") && shows("gone\b \b\b \b\b \b\b \bkept\n"));
    start();
    type("\x01\x7f\xc3\xa4\x7f\xe2\x82\xac\n"); // a control character is two columns, one of UTF-8
                                                // is one
    CHECK(reads(100, "\xe2\x82\xac\n") && shows("^A\b \b\b \b\xc3\xa4\b \b\xe2\x82\xac\n"));
    start();
    type("read\nx\x7f\x7f\x7f\n"); // what a read may have taken is not erased
    CHECK(reads(100, "read\n") && reads(100, "\n"));
}

static void ends(void) {
    start();
    type("\x04");
    CHECK(tty_readable(&tty) && reads(100, "") && reads(100, NULL));
    type("part\x04rest\n");
    CHECK(reads(100, "part") && reads(100, "rest\n") && reads(100, NULL));
    type("four\x04");
    CHECK(reads(4, "four") && reads(100, NULL)); // the end belongs to a line that fits exactly
    type("line\n\x04");
    CHECK(reads(100, "line\n") && reads(100, "") && reads(100, NULL));
}

static void signals(void) {
    start();
    CHECK(type("abc\x03") == SIGINT && shows("abc^C") && reads(100, NULL));
    CHECK(type("\x1c") == SIGQUIT && type("\x1a") == SIGTSTP);
    struct termios settings = tty.settings;
    settings.c_lflag &= ~(tcflag_t)ISIG;
    tty_set(&tty, &settings, false);
    CHECK(type("\x03\n") == 0 && reads(100, "\x03\n"));
    settings.c_lflag |= ISIG | NOFLSH;
    tty_set(&tty, &settings, false);
    CHECK(type("kept\n\x03") == SIGINT && reads(100, "kept\n"));
    settings.c_cc[VINTR] = 0; // no such key
    tty_set(&tty, &settings, false);
    CHECK(type("\x03") == 0 && tty_input(&tty, 0) == 0);
}

static void raw(void) {
    start();
    type("typed");
    struct termios settings = tty.settings;
    settings.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    settings.c_iflag &= ~(tcflag_t)ICRNL;
    tty_set(&tty, &settings, false);
    shown_bytes = 0;
    CHECK(reads(3, "typ") && reads(100, "ed") && reads(100, NULL));
    type("\r\x7f\x04");
    CHECK(reads(100, "\r\x7f\x04") && shows(""));
    settings.c_cc[VMIN] = 0;
    tty_set(&tty, &settings, false);
    CHECK(reads(100, "") && !tty_readable(&tty));
    settings.c_cc[VMIN] = 3;
    tty_set(&tty, &settings, false);
    type("12");
    CHECK(!tty_readable(&tty) && tty_waiting(&tty) == 2 && reads(2, "12"));
    type("123");
    CHECK(tty_readable(&tty) && reads(100, "123"));
    type("lost");
    tty_set(&tty, &settings, true);
    CHECK(reads(1, NULL));
}

static struct tty_reader begins(u8 minimum, u8 tenths) {
    struct termios settings = tty.settings;
    settings.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    settings.c_cc[VMIN] = minimum;
    settings.c_cc[VTIME] = tenths;
    tty_set(&tty, &settings, false);
    return (struct tty_reader){0};
}

// The four cases of termios(3).
static void minimum_and_time(void) {
    const u64 tenth = 100000000;
    start();
    now = 5;
    struct tty_reader r =
        begins(3, 2); // both: the time counts from one byte to the next, and begins with the first
    CHECK(gets(&r, 10, "", false) && r.deadline == ~0ull);
    type("a");
    now += 9 * tenth;
    CHECK(gets(&r, 10, "a", false) && r.deadline == now + 2 * tenth && tty_waiting(&tty) == 0);
    type("b");
    now += 2 * tenth - 1;
    CHECK(gets(&r, 9, "b", false) && r.deadline == now + 2 * tenth);
    now += 2 * tenth;
    CHECK(gets(&r, 8, "", true) && r.done == 2);
    r = begins(3, 2);
    type("abcd");
    CHECK(gets(&r, 10, "abcd", true)); // all that is there, and over with the third
    type("e");
    r = begins(3, 2);
    CHECK(gets(&r, 1, "e", true) && tty_readable(&tty) == false);
    type("f");
    CHECK(tty_readable(&tty)); // with a time one byte is enough for poll
    start();
    r = begins(3, 0); // a minimum alone: no time ends it
    type("ab");
    CHECK(!tty_readable(&tty) && gets(&r, 10, "ab", false) && r.deadline == ~0ull);
    now += 1ull << 62;
    CHECK(gets(&r, 8, "", false));
    type("c");
    CHECK(gets(&r, 8, "c", true) && r.done == 3);
    r = begins(0, 10); // a time alone: it counts from the beginning, and one byte ends it
    CHECK(gets(&r, 8, "", false) && r.deadline == now + 10 * tenth && !tty_readable(&tty));
    now += 4 * tenth;
    CHECK(gets(&r, 8, "", false) && r.deadline == now + 6 * tenth);
    type("xy");
    CHECK(tty_readable(&tty) && gets(&r, 8, "xy", true));
    r = begins(0, 10);
    CHECK(gets(&r, 8, "", false));
    now += 10 * tenth;
    CHECK(gets(&r, 8, "", true) && r.done == 0);
    r = begins(0, 0); // neither: what is there
    CHECK(gets(&r, 8, "", true));
    type("z");
    r = begins(0, 0);
    CHECK(gets(&r, 8, "z", true));
}

// A read that waits for a line gets what was typed when lines are over; one that has its minimum
// keeps it.
static void mode_changes(void) {
    start();
    struct tty_reader r = {0};
    type("abc");
    CHECK(gets(&r, 20, "", false));
    (void)begins(1, 0);
    CHECK(gets(&r, 20, "abc", true));
    r = begins(4, 0);
    type("12");
    CHECK(gets(&r, 20, "12", false));
    (void)begins(1, 0);
    type("3");
    CHECK(gets(&r, 20, "3", false));
    type("45");
    CHECK(gets(&r, 20, "45", true) && r.done == 5);
    start();
    type("x\4");
    (void)begins(1, 0);
    CHECK(tty_waiting(&tty) == 2); // ^D, when it was typed, was no byte of a line
    u8 to[3];
    r = begins(1, 0);
    CHECK(tty_read(&tty, &r, to, 3, now) == 2 && to[1] == 0 && r.over);
}

static void output(void) {
    start();
    tty_output(&tty, (const u8 *)"a\nb", 3);
    CHECK(shows("a\nb"));
    struct termios settings = tty.settings;
    settings.c_oflag = OPOST | ONLCR;
    tty_set(&tty, &settings, false);
    tty_output(&tty, (const u8 *)"\nc\n\nd", 5);
    CHECK(shows("a\nb\r\nc\r\n\r\nd"));
}

static void full(void) {
    start();
    for (int i = 0; i < 5000; i++) type("x");
    type("\n");
    u8 to[8192];
    struct tty_reader reader = {0};
    CHECK(tty_read(&tty, &reader, to, sizeof to, 0) == TTY_RING && to[TTY_RING - 1] == '\n' &&
          reader.over);
    type("again\n");
    CHECK(reads(100, "again\n"));
}

// Any bytes in any mode: nothing is written outside, and the three places stay in order.
static void random_keys(void) {
    unsigned state = 1;
    struct tty_reader reader = {0};
    start();
    for (int i = 0; i < 200000; i++) {
        state = state * 1103515245 + 12345;
        unsigned r = state >> 8;
        if (r % 97 == 0) {
            struct termios settings = tty.settings;
            settings.c_lflag = r >> 3;
            settings.c_cc[r % NCCS] = (u8)(r >> 12);
            tty_set(&tty, &settings, r % 3 == 0);
        }
        u8 to[64];
        if (reader.over) reader = (struct tty_reader){0};
        if (r % 5 == 0)
            CHECK(tty_read(&tty, &reader, to, r % sizeof to, (u64)i << 27) <= r % sizeof to);
        if (reader.done > 1000) reader.over = true;
        tty_input(&tty, (u8)(r >> 10));
        CHECK(tty.ready - tty.read <= TTY_RING &&
              tty.write - tty.ready <= TTY_RING - (tty.ready - tty.read));
    }
}

int main(void) {
    lines();
    editing();
    ends();
    signals();
    raw();
    minimum_and_time();
    mode_changes();
    output();
    full();
    random_keys();
    return check_done("tty");
}
