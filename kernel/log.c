// The log: a line is put together on the stack and goes to every sink in one piece; the last ones
// are kept for a panic.
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/lock.h"
#include "kernel/kernel.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"

#define KEPT       32
#define KEPT_BYTES 128
#define WAIT_TRIES 1000000 // some 10 ms at least

static struct sink {
    log_sink write;
    bool busy; // a sink is out while it works, so that a panic inside it goes to the others
} sinks[LOG_SCREEN + 1];

static struct lock lock = {.rank = LOCK_LOG};
static bool quiet[ARRAY_SIZE(sinks)];
static bool alone;
static char kept[KEPT][KEPT_BYTES];
static unsigned kept_count;

void log_set_sink(enum log_sinks which, log_sink write) { sinks[which].write = write; }
void log_quiet(enum log_sinks which, bool errors_alone) { quiet[which] = errors_alone; }

// A line that is too long ends in "...".
size_t log_format(char line[LOG_LINE + 1], const char *prefix, const char *fmt, va_list args) {
    size_t length = (size_t)format(line, LOG_LINE, "%s", prefix);
    length += (size_t)vformat(line + length, LOG_LINE - length, fmt, args);
    if (length >= LOG_LINE) {
        length = LOG_LINE - 1;
        memcpy(line + length - 3, "...", 3);
    }
    line[length] = '\n'; // in place of the NUL
    return length + 1;
}

void log_put(const char *line, size_t length, size_t on_screen) {
    for (struct sink *sink = sinks; sink <= sinks + LOG_SCREEN; sink++) {
        size_t bytes = length;
        if (sink == sinks + LOG_SCREEN) bytes = on_screen;
        if (!sink->write || sink->busy || !bytes) continue;
        sink->busy = true;
        sink->write(line, bytes);
        sink->busy = false;
    }
}

void log_line(const char *prefix, const char *fmt, va_list args) {
    char line[LOG_LINE + 1];
    size_t length = log_format(line, prefix, fmt, args);
    stop_serve(); // nothing follows the exit line
    if (!alone) lock_take(&lock);
    char *keep = kept[kept_count++ % KEPT];
    size_t part = MIN(length, KEPT_BYTES);
    memcpy(keep, line, part);
    keep[part - 1] = '\0';
    bool is_error = line[4] == '!';
    size_t on_wire = length;
    if (quiet[LOG_WIRE] && !is_error) on_wire = 0;
    size_t on_screen = length;
    if (quiet[LOG_SCREEN] && !is_error) on_screen = 0;
    log_put(line, on_wire, on_screen);
    if (!alone) lock_give(&lock);
}

const char *log_kept(unsigned before) {
    if (before < KEPT && before < kept_count) return kept[(kept_count - 1 - before) % KEPT];
    return NULL;
}

// A CPU that does not count yet may be in the middle of a line.
void log_alone(void) {
    for (int tries = 0; tries < WAIT_TRIES && !alone && !lock_try(&lock); tries++)
        __builtin_ia32_pause();
    alone = true;
    for (size_t i = 0; i < ARRAY_SIZE(sinks); i++) sinks[i].busy = false;
}

void log(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    log_line("vmos: ", fmt, args);
    va_end(args);
}

void log_error(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    log_line("vmos! ", fmt, args);
    va_end(args);
}
