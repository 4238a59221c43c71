// Texts that tell the program what machine it woke on. Made anew at every read, and only the part
// that was asked for is copied: they take no memory and have no longest length.
#include <stdarg.h>
#include "kernel/cpu/cpus.h"
#include "kernel/file/file.h"
#include "kernel/lib/print.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/window.h"

#define LINE 128 // bytes, at most

struct reader {
    u64 at;        // offset of the next line in the text
    u64 from, to;  // offsets that were asked for
    uaddr program; // where the byte at from goes
    bool fault;
};

static const struct boot_info *boot;

// The next line of a text.
static void PRINTF_LIKE(2, 3) text_line(struct reader *reader, const char *fmt, ...) {
    char text[LINE];
    va_list args;
    va_start(args, fmt);
    u64 length = (u64)vformat(text, sizeof text, fmt, args);
    va_end(args);
    u64 from = MAX(reader->at, reader->from);
    u64 end = MIN(reader->at + length, reader->to);
    if (from < end) {
        uaddr to = user(reader->program.at + (from - reader->from));
        if (!copy_to_user(to, text + (from - reader->at), end - from)) reader->fault = true;
    }
    reader->at += length;
}

// As the BIOS gave it, in Linux's format.
static void text_iomem(struct reader *reader) {
    static const char *const types[] = {
        "Reserved",       "System RAM", "Reserved", "ACPI Tables", "ACPI Non-volatile Storage",
        "Unusable memory"};
    const struct e820_entry *e = window((paddr){boot->e820});
    const struct e820_entry *end = e + boot->e820_count;
    for (; e < end; e++) {
        if (!e->length) continue;
        const char *type = types[0];
        if (e->type < ARRAY_SIZE(types)) type = types[e->type];
        text_line(reader, "%08lx-%08lx : %s\n", e->base, e->base + e->length - 1, type);
    }
}

static void text_meminfo(struct reader *reader) {
    u64 total = pages_total() * (PAGE_SIZE / 1024);
    u64 available = pages_free() * (PAGE_SIZE / 1024);
    text_line(reader, "MemTotal:       %8lu kB\nMemFree:        %8lu kB\nMemAvailable:   %8lu kB\n",
              total, available, available);
}

// Line n of the boot's timeline; false: there is none.
static bool text_timeline_line(unsigned n, char text[LINE]) {
    static const char *const stages[STAGES] = {"firmware",    "MBR",          "loader",
                                               "kernel, low", "kernel, high", "program load"};
    if (n < STAGES) {
        u64 ticks = boot->tsc[n];
        if (n > 0) ticks -= boot->tsc[n - 1];
        format(text, LINE, "%-13s %8lu us %12lu TSC ticks", stages[n], time_tsc_to_ns(ticks) / 1000,
               ticks);
    } else {
        char most[11] = "?";
        const char *way = "CHS";
        if (boot->edd) way = "EDD";
        u32 bytes = SECTOR_SIZE;
        if (boot->sector_size) bytes = boot->sector_size;
        if (boot->read_most) format(most, sizeof most, "%u", boot->read_most);
        format(text, LINE,
               "read by %s from drive %02xh: %u sectors of %u bytes, at most %s a call; "
               "%u BIOS calls in all",
               way, boot->drive, boot->sectors, bytes, most, boot->bios_calls);
    }
    return n <= STAGES;
}

void timeline_log(void) {
    char text[LINE];
    for (unsigned n = 0; text_timeline_line(n, text); n++) log("timeline: %s", text);
}

static void text_vmos(struct reader *reader) {
    char text[LINE];
    for (unsigned n = 0; text_timeline_line(n, text); n++) text_line(reader, "%s\n", text);
    text_line(reader, "CPUs that run: %u\n", cpus_online());
    for (unsigned n = 0; n < cpus_online(); n++)
        if (cpu_number(n)->nmis)
            text_line(reader, "CPU %u ignored %u NMIs without a known cause\n", n,
                      cpu_number(n)->nmis);
    for (unsigned vector = EXCEPTIONS; vector < 256; vector++)
        if (interrupts_ignored((u8)vector))
            text_line(reader, "%u interrupts on vector %#x ignored\n",
                      interrupts_ignored((u8)vector), vector);
}

static void (*const texts[])(struct reader *reader) = {
    [TEXT_IOMEM] = text_iomem,
    [TEXT_MEMINFO] = text_meminfo,
    [TEXT_VMOS] = text_vmos,
};

void texts_init(const struct boot_info *given) { boot = given; }

s64 text_read(int text, uaddr to, u64 bytes, u64 offset) {
    struct reader reader = {.from = offset, .to = offset + bytes, .program = to};
    texts[text](&reader);
    if (reader.fault) return -EFAULT;
    u64 end = MIN(reader.at, reader.to);
    if (end <= offset) return 0;
    return (s64)(end - offset);
}
