// The log: a line is put together on the stack and goes to every sink in one piece.
#include "kernel/kernel.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"

static log_sink sinks[4];
static size_t sink_count;

void log_add_sink(log_sink sink) {
    ASSERT(sink_count < ARRAY_SIZE(sinks));
    sinks[sink_count++] = sink;
}

// A line that is too long ends in "...". A sink is out while it works, so that a panic inside it goes to the others.
void log_line(const char *prefix, const char *fmt, va_list args) {
    char line[LOG_LINE + 1]; // and a NUL, which gives way to the newline
    size_t length = format(line, sizeof(line), "%s", prefix);
    length += vformat(line + length, LOG_LINE - length, fmt, args);
    if (length >= LOG_LINE) {
        length = LOG_LINE - 1;
        memcpy(line + length - 3, "...", 3);
    }
    line[length++] = '\n';
    for (size_t i = 0; i < sink_count; i++) {
        log_sink sink = sinks[i];
        sinks[i] = NULL;
        if (sink) sink(line, length);
        sinks[i] = sink;
    }
}

#define LOG_FUNCTION(name, prefix)                                                                                     \
    void name(const char *fmt, ...) {                                                                                  \
        va_list args;                                                                                                  \
        va_start(args, fmt);                                                                                           \
        log_line(prefix, fmt, args);                                                                                   \
        va_end(args);                                                                                                  \
    }
LOG_FUNCTION(log, "vmos: ")
LOG_FUNCTION(log_error, "vmos! ")
