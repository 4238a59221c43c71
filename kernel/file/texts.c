// Texts that tell the program what machine it woke on. Made anew at every read, and only the part that was asked for
// is copied: they take no memory and have no longest length.
#include <stdarg.h>
#include "kernel/cpu/cpus.h"
#include "kernel/file/file.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/window.h"

struct reader {
    u64 at;       // offset of the next line in the text
    u64 from, to; // offsets that were asked for
    u64 user;     // where the byte at from goes
    bool fault;
};

static const struct boot_info *boot;

// The next line of a text, at most 128 bytes.
static void PRINTF_LIKE(2, 3) line(struct reader *reader, const char *fmt, ...) {
    char text[128];
    va_list args;
    va_start(args, fmt);
    u64 length = (u64)vformat(text, sizeof text, fmt, args);
    va_end(args);
    u64 from = reader->at > reader->from ? reader->at : reader->from, end = reader->at + length;
    if (end > reader->to) end = reader->to;
    if (from < end)
        reader->fault |= !copy_to_user(reader->user + (from - reader->from), text + (from - reader->at), end - from);
    reader->at += length;
}

// As the BIOS gave it, in Linux's format.
static void iomem(struct reader *reader) {
    static const char *const types[] = {
        "Reserved", "System RAM", "Reserved", "ACPI Tables", "ACPI Non-volatile Storage", "Unusable memory"};
    const struct e820_entry *e = window(boot->e820), *end = e + boot->e820_count;
    for (; e < end; e++)
        if (e->length)
            line(reader, "%08lx-%08lx : %s\n", e->base, e->base + e->length - 1,
                 e->type < ARRAY_SIZE(types) ? types[e->type] : "Reserved");
}

static void meminfo(struct reader *reader) {
    u64 total = pages_total() * (PAGE_SIZE / 1024), available = pages_free() * (PAGE_SIZE / 1024);
    line(reader, "MemTotal:       %8lu kB\nMemFree:        %8lu kB\nMemAvailable:   %8lu kB\n", total, available,
         available);
}

static void vmos(struct reader *reader) {
    static const char *const stages[STAGES] = {"firmware",    "MBR",          "loader",
                                               "kernel, low", "kernel, high", "program load"};
    for (int i = 0; i < STAGES; i++)
        line(reader, "%-13s %8lu us\n", stages[i], time_tsc_to_ns(boot->tsc[i] - (i ? boot->tsc[i - 1] : 0)) / 1000);
    line(reader, "read by %s from drive %02xh: %u sectors, %u BIOS calls\n", boot->edd ? "EDD" : "CHS", boot->drive,
         boot->sectors, boot->bios_calls);
    line(reader, "CPUs that run: %u\n", cpus_online());
    for (unsigned n = 0; n < cpus_online(); n++)
        if (cpu_number(n)->nmis) line(reader, "CPU %u ignored %u NMIs without a known cause\n", n, cpu_number(n)->nmis);
    for (unsigned vector = EXCEPTIONS; vector < 256; vector++)
        if (interrupts_ignored((u8)vector))
            line(reader, "%u interrupts on vector %#x ignored\n", interrupts_ignored((u8)vector), vector);
}

static const struct {
    const char *path;
    void (*write)(struct reader *reader);
} texts[] = {{"/proc/iomem", iomem}, {"/proc/meminfo", meminfo}, {"/proc/vmos", vmos}};

void texts_init(const struct boot_info *given) { boot = given; }

int text_find(const char *path) {
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (strcmp(path, texts[i].path) == 0) return (int)i;
    return -1;
}

s64 text_read(int text, u64 to, u64 bytes, u64 offset) {
    if (bytes > ~0ull - offset) bytes = ~0ull - offset;
    struct reader reader = {.from = offset, .to = offset + bytes, .user = to};
    texts[text].write(&reader);
    if (reader.fault) return -EFAULT;
    u64 end = reader.at < reader.to ? reader.at : reader.to;
    return end > offset ? (s64)(end - offset) : 0;
}
