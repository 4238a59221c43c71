// The log: a line is put together on the stack and goes to every sink in one piece; the last ones are kept for a panic.
#include "boot/layout.h"
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/lock.h"
#include "kernel/kernel.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"

#define KEPT       32
#define KEPT_BYTES 128

static struct sink {
    log_sink write;
    bool busy; // a sink is out while it works, so that a panic inside it goes to the others
} sinks[4];
static size_t sink_count;

static struct lock lock;
static u64 holder; // of the lock, by its slot: there is no GS in the low stage
static bool alone;
static char kept[KEPT][KEPT_BYTES];
static unsigned kept_count;

static u64 this_slot(void) { return (u64)__builtin_frame_address(0) / SLOT_SIZE; }

void log_add_sink(log_sink sink) {
    ASSERT(sink_count < ARRAY_SIZE(sinks));
    sinks[sink_count++].write = sink;
}

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

void log_line(const char *prefix, const char *fmt, va_list args) {
    char line[LOG_LINE + 1];
    size_t length = log_format(line, prefix, fmt, args);
    if (alone) stop_serve(); // a CPU that comes when another one ends the machine
    else lock_take(&lock);
    holder = this_slot();
    char *keep = kept[kept_count++ % KEPT];
    size_t part = length < KEPT_BYTES ? length : KEPT_BYTES;
    memcpy(keep, line, part);
    keep[part - 1] = '\0';
    for (struct sink *sink = sinks; sink < sinks + sink_count; sink++) {
        if (sink->busy) continue;
        sink->busy = true;
        sink->write(line, length);
        sink->busy = false;
    }
    if (!alone) lock_give(&lock);
}

void log_last(unsigned lines, void (*each)(const char *line, unsigned left)) {
    unsigned end = kept_count, count = end < KEPT ? end : KEPT;
    for (unsigned i = end - (lines < count ? lines : count); i != end; i++) each(kept[i % KEPT], end - i - 1);
}

// A sink that another CPU was stopped in is whole; one that this CPU is in faulted.
void log_alone(void) {
    alone = true;
    for (struct sink *sink = sinks; holder != this_slot() && sink < sinks + sink_count; sink++) sink->busy = false;
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
