// kernel/log.c: prefixes and long lines, and a sink that fails while it works is left out of what
// is said about it.
#include <stdlib.h>
#include <string.h>

#define log vmos_log // the C library has another
#include "test/check.h"
#include "kernel/lib/print.c"
#include "kernel/log.c"

void panic(const char *fmt, ...) {
    (void)fmt;
    abort();
}

static char good[8192], bad[8192];
static bool fails;

void lock_take(struct lock *taken) {
    CHECK(!taken->taken);
    taken->taken = true;
}

bool lock_try(struct lock *taken) { return !taken->taken; }
void stop_serve(void) {}

static void good_sink(const char *text, size_t bytes) { strncat(good, text, bytes); }

static void bad_sink(const char *text, size_t bytes) {
    if (fails) {
        alone = true; // as the panic does
        log_error("the sink faulted");
    }
    strncat(bad, text, bytes);
}

static void again(unsigned lines) {
    *good = 0;
    while (lines-- > 0)
        if (log_kept(lines)) sprintf(good + strlen(good), "[%s]", log_kept(lines));
}

int main(void) {
    char text[1000], prefix[] = "vmos: ";
    log_set_sink(LOG_WIRE, good_sink);
    log_set_sink(LOG_SCREEN, bad_sink);
    log("one %d", 1);
    log_error("two %s", "2");
    CHECK(strcmp(good, "vmos: one 1\nvmos! two 2\n") == 0 && strcmp(bad, good) == 0);

    for (size_t length = 230; length < 300;
         length++) { // the longest that fits whole: LOG_LINE with prefix and newline
        memset(text, 'x', length);
        text[length] = *good = *bad = 0;
        log("%s", text);
        size_t whole = sizeof(prefix) - 1 + length + 1;
        CHECK(strlen(good) == (whole <= LOG_LINE ? whole : LOG_LINE) &&
              good[strlen(good) - 1] == '\n');
        CHECK((strstr(good, "...\n") != NULL) == (whole > LOG_LINE));
    }

    *good = *bad = 0;
    fails = true;
    log("three");
    CHECK(strcmp(good, "vmos: three\nvmos! the sink faulted\n") == 0 &&
          strcmp(bad, "vmos: three\n") == 0);

    *good = *bad = 0;
    fails = false;
    sinks[LOG_SCREEN].busy = true;
    log_put("four\n", 5, 5);
    log_alone(); // in which CPU a sink is busy does not count
    log_put("five\n", 5, 2);
    CHECK(strcmp(good, "four\nfive\n") == 0 && strcmp(bad, "fi") == 0);

    log_quiet(LOG_SCREEN, true); // errors alone
    *good = *bad = 0;
    log("six");
    log_error("seven");
    log_put("eight\n", 6, 6); // of a panic
    CHECK(strcmp(good, "vmos: six\nvmos! seven\neight\n") == 0 &&
          strcmp(bad, "vmos! seven\neight\n") == 0);
    log_quiet(LOG_WIRE, true);
    *good = *bad = 0;
    log("nine");
    log_error("ten");
    CHECK(strcmp(good, "vmos! ten\n") == 0 && strcmp(bad, good) == 0);
    log_quiet(LOG_WIRE, false);
    log_quiet(LOG_SCREEN, false);
    *good = *bad = 0;
    log("exit 0");
    CHECK(strcmp(good, "vmos: exit 0\n") == 0 && strcmp(bad, good) == 0);
    CHECK(strcmp(log_kept(2), "vmos: nine") == 0); // for a panic
    for (int i = 0; i < 2; i++) log(i ? "the sink faulted" : "three");

    *good = 0;
    again(2);
    CHECK(strcmp(good, "[vmos: three][vmos: the sink faulted]") == 0);
    *good = 0;
    for (int i = 0; i < 100; i++) log("%d %s", i, i == 98 ? text : "");
    *good = 0;
    again(1000);
    CHECK(strncmp(good, "[vmos: 68 ][vmos: 69 ]", 22) == 0 && strstr(good, "xxx][vmos: 99 ]"));
    return check_done("log");
}
