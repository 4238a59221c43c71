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

// A read of at most bytes gives exactly this text; NULL: it waits.
static bool reads(size_t bytes, const char *text) {
    u8 to[8192];
    s64 count = tty_read(&tty, to, bytes);
    if (!text) return count == TTY_WAIT;
    return count == (s64)strlen(text) && memcmp(to, text, strlen(text)) == 0;
}

static bool shows(const char *text) { return shown_bytes == strlen(text) && memcmp(shown, text, shown_bytes) == 0; }

static void lines(void) {
    start();
    CHECK(reads(100, NULL));
    type("ab");
    CHECK(reads(100, NULL) && tty_readable(&tty) == 0);
    type("c\rsecond\nthird");
    CHECK(shows("abc\nsecond\nthird"));
    CHECK(reads(2, "ab") && reads(100, "c\n") && reads(0, "") && reads(7, "second\n") && reads(100, NULL));
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
    type("\x01\x7f\xc3\xa4\x7f\xe2\x82\xac\n"); // a control character is two columns, one of UTF-8 is one
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
    CHECK(reads(100, ""));
    settings.c_cc[VMIN] = 3;
    tty_set(&tty, &settings, false);
    type("12");
    CHECK(reads(100, NULL) && !tty_readable(&tty) && reads(2, "12"));
    type("123");
    CHECK(tty_readable(&tty) == 3 && reads(100, "123"));
    type("lost");
    tty_set(&tty, &settings, true);
    CHECK(reads(1, NULL));
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
    CHECK(tty_read(&tty, to, sizeof to) == TTY_RING && to[TTY_RING - 1] == '\n');
    type("again\n");
    CHECK(reads(100, "again\n"));
}

// Any bytes in any mode: nothing is written outside, and the three places stay in order.
static void random_keys(void) {
    unsigned state = 1;
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
        if (r % 5 == 0) tty_read(&tty, to, r % sizeof to);
        tty_input(&tty, (u8)(r >> 10));
        CHECK(tty.ready - tty.read <= TTY_RING && tty.write - tty.ready <= TTY_RING - (tty.ready - tty.read));
    }
}

int main(void) {
    lines();
    editing();
    ends();
    signals();
    raw();
    output();
    full();
    random_keys();
    return check_done("tty");
}
