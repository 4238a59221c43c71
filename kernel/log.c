// The log: a line is put together on the stack and goes to every sink in one piece.
#include "kernel/kernel.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"

#define PREFIX 6 // bytes of "vmos: "

static log_sink sinks[4];
static size_t sink_count;

void log_add_sink(log_sink sink)
{
    ASSERT(sink_count < ARRAY_SIZE(sinks));
    sinks[sink_count++] = sink;
}

// A line that is too long ends in "...".
static void log_line(const char *prefix, const char *fmt, va_list args)
{
    char line[LOG_LINE + 1];
    memcpy(line, prefix, PREFIX);
    size_t room = LOG_LINE - PREFIX - 1; // for text, behind it the newline
    size_t length = vformat(line + PREFIX, room + 1, fmt, args);
    if (length > room) {
        length = room;
        memcpy(line + PREFIX + room - 3, "...", 3);
    }
    line[PREFIX + length] = '\n';
    for (size_t i = 0; i < sink_count; i++) sinks[i](line, PREFIX + length + 1);
}

void log(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    log_line("vmos: ", fmt, args);
    va_end(args);
}

void log_error(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    log_line("vmos! ", fmt, args);
    va_end(args);
}
