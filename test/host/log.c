// kernel/log.c: prefixes and long lines, and a sink that fails while it works is left out of what is said about it.
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

static int stops;
void stop_serve(void) { stops++; }

static void good_sink(const char *text, size_t bytes) { strncat(good, text, bytes); }

static void bad_sink(const char *text, size_t bytes) {
    if (fails) { // as the panic does
        log_alone();
        log_error("the sink faulted");
    }
    strncat(bad, text, bytes);
}

static void again(const char *text, unsigned left) {
    (void)left;
    sprintf(good + strlen(good), "[%s]", text);
}

int main(void) {
    char text[1000], prefix[] = "vmos: ";
    log_add_sink(bad_sink);
    log_add_sink(good_sink);
    log("one %d", 1);
    log_error("two %s", "2");
    CHECK(strcmp(good, "vmos: one 1\nvmos! two 2\n") == 0 && strcmp(bad, good) == 0);

    for (size_t length = 230; length < 300; length++) { // the longest that fits whole: LOG_LINE with prefix and newline
        memset(text, 'x', length);
        text[length] = *good = *bad = 0;
        log("%s", text);
        size_t whole = sizeof(prefix) - 1 + length + 1;
        CHECK(strlen(good) == (whole <= LOG_LINE ? whole : LOG_LINE) && good[strlen(good) - 1] == '\n');
        CHECK((strstr(good, "...\n") != NULL) == (whole > LOG_LINE));
    }

    *good = *bad = 0;
    fails = true;
    log("three");
    CHECK(strcmp(good, "vmos! the sink faulted\nvmos: three\n") == 0 && strcmp(bad, "vmos: three\n") == 0);

    CHECK(stops == 1); // another CPU would not have said anything

    *good = 0;
    log_last(2, again);
    CHECK(strcmp(good, "[vmos: three][vmos! the sink faulted]") == 0);
    fails = *good = 0;
    for (int i = 0; i < 100; i++) log("%d %s", i, i == 98 ? text : "");
    *good = 0;
    log_last(1000, again);
    CHECK(strncmp(good, "[vmos: 68 ][vmos: 69 ]", 22) == 0 && strstr(good, "xxx][vmos: 99 ]"));
    return check_done("log");
}
