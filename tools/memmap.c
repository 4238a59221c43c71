// Prints what vmos would do with a machine's memory map, by the kernel's own plan, without booting:
//   memmap --kernel F FILE [--image F] [--mem N] [--no-1g] [--bare]
// FILE has lines "base length type" in hexadecimal, or is a Linux log with a memory map in it. What
// is no map is refused with a line and status 1; a wrong command line is status 2. tools/README.md
// describes the output.
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/lib/options.h"
#include "kernel/memory/plan.h"
#include "tools/medium.h"

static struct e820_entry map[E820_MAX];
static struct reservation reserved[PLAN_RESERVATIONS(E820_MAX)];
static u8 scratch[PLAN_SCRATCH(E820_MAX)] __attribute__((aligned(8)));
static struct extent extents[EXTENTS_PER_RANGE * PLAN_RANGES(E820_MAX)];

// ---- the map ----

// A hexadecimal number of at most 64 bits, with or without 0x; moves at behind it.
static bool read_hex(const char **at, u64 *value) {
    const char *start = *at + strspn(*at, " \t");
    if (start[0] == '0' && (start[1] | 0x20) == 'x') start += 2;
    size_t digits = strspn(start, "0123456789abcdefABCDEF");
    if (!digits || strspn(start, "0") + 16 < digits) return false;
    *value = strtoull(start, NULL, 16);
    *at = start + digits;
    return true;
}

static bool at_end(const char *at) { return at[strspn(at, " \t\r\n")] == 0; }

static bool read_plain(const char *at, struct e820_entry *entry) {
    u64 base, length, type;
    if (!read_hex(&at, &base) || !read_hex(&at, &length) || !read_hex(&at, &type) || !at_end(at))
        return false;
    *entry = (struct e820_entry){base, length, (u32)type};
    return type <= UINT32_MAX;
}

static u32 type_of(const char *text) {
    static const struct {
        const char *name;
        u32 type;
    } types[] = {{"unusable", 5},  {"usable", 1},   {"System RAM", 1},
                 {"ACPI data", 3}, {"ACPI NVS", 4}, {"", 2}};
    size_t i = 0;
    while (!strstr(text, types[i].name)) i++; // whatever else it is, it is not usable
    return types[i].type;
}

// "[mem 0x0-0x9fbff] usable", last byte included; before Linux 3.5 "0000000000000000 -
// 000000000009fc00 (usable)", end not included. An end of 2^64 is 0 there.
static bool read_linux(const char *at, struct e820_entry *entry) {
    u64 start, end, length;
    at += strspn(at, " \t");
    if (!strncmp(at, "[mem ", 5)) {
        at += 5;
        if (!read_hex(&at, &start) || *at++ != '-' || !read_hex(&at, &end)) return false;
        if (end < start && start - end > 1) return false;
        length = end - start + 1;
        if (!length && end >= start)
            length = UINT64_MAX; // 2^64 does not fit, and the last byte makes no difference
    } else {
        if (!read_hex(&at, &start) || strncmp(at, " - ", 3)) return false;
        at += 3;
        if (!read_hex(&at, &end) || (end && end < start)) return false;
        length = end - start;
    }
    *entry = (struct e820_entry){start, length, type_of(at)};
    return !at_end(at);
}

static void add_entry(u32 *count, const char *name, struct e820_entry entry) {
    if (*count == E820_MAX)
        errx(
            1,
            "%s has more than %d entries; vmos has room for no more, and what is lost could be reserved",
            name, E820_MAX);
    map[(*count)++] = entry;
}

// What a log may hold: the firmware's map, and what the kernel made of that. Each map begins with a
// line of its own; of several of a kind, as in the logs of several boots, the last counts, and the
// firmware's before the kernel's.
enum source { NOT_LOG, CHANGED, FIRMWARE };

// False: the line belongs to no map. is_entry: it is an entry, and not a head.
static bool read_log_line(const char *name, u32 number, const char *line, enum source *source,
                          bool *is_entry, struct e820_entry *entry) {
    const char *firmware = strstr(line, "BIOS-e820:");
    const char *changed = strstr(line, "modified:");
    if (!changed) changed = strstr(line, "user:"); // by mem= or memmap=
    *is_entry = true;
    *source = firmware ? FIRMWARE : CHANGED;
    if (firmware) {
        if (strstr(firmware, "[gap ")) return false;
        if (!read_linux(firmware + strlen("BIOS-e820:"), entry))
            errx(1, "%s, line %u, is no line of a memory map", name, number);
        return true;
    }
    if (changed && read_linux(strchr(changed, ':') + 1, entry)) return true;
    *is_entry = false;
    if (!strstr(line, "physical RAM map:")) return false;
    if (strstr(line, "BIOS-provided physical")) *source = FIRMWARE;
    return true;
}

static u32 read_map(const char *name) {
    FILE *file = fopen(name, "r");
    char line[1024];
    struct e820_entry entry;
    u32 count = 0, number = 0, bad_number = 0;
    enum source best = NOT_LOG, source;
    if (!file) errx(2, "cannot open %s", name);
    while (fgets(line, sizeof line, file)) {
        bool is_entry;
        number++;
        if (read_log_line(name, number, line, &source, &is_entry, &entry)) {
            if (source > best || (source == best && !is_entry)) count = 0;
            best = MAX(best, source);
            if (is_entry && source == best) add_entry(&count, name, entry);
        } else if (best == NOT_LOG && read_plain(line, &entry)) {
            add_entry(&count, name, entry);
        } else if (best == NOT_LOG && !at_end(line) && line[strspn(line, " \t")] != '#' &&
                   !bad_number) {
            bad_number = number;
        }
    }
    if (ferror(file)) errx(1, "cannot read %s", name);
    fclose(file);
    if (bad_number && best == NOT_LOG)
        errx(1, "%s is no memory map: line %u is not \"base length type\" in hexadecimal", name,
             bad_number);
    if (!count) errx(1, "%s is no memory map: it has no entries", name);
    return count;
}

// ---- what is in memory besides ----

// Memory that an image takes: the kernel's and, behind it, the payload.
static void measure_image(const char *name, struct machine *machine) {
    static struct medium medium;
    medium_open(&medium, name, false);
    machine->kernel_low.length = medium.header.kernel_memory;
    machine->payload.length = medium.header.total;
}

// The same for an image of this kernel and no program.
static void measure_kernel(const char *name, struct machine *machine) {
    struct bytes kernel = read_file(name);
    machine->kernel_low.length = kernel_check(name, kernel.data, kernel.length);
    machine->payload.length = sizeof(struct image_header) + kernel.length;
}

// As the loader places both. Says why it would not.
static void place_image(struct machine *machine) {
    struct range *ranges = (struct range *)scratch;
    u64 bytes = machine->kernel_low.length + ROUND_UP(machine->payload.length, PAGE_SIZE);
    size_t count =
        e820_ranges(map, machine->entries, E820_USABLE, (u64 *)(ranges + E820_MAX), ranges);
    if (ranges_place(ranges, count, BOOT_MEMORY_END - BOOT_PML4, BOOT_PML4) != BOOT_PML4)
        printf("# would not boot: part of 0x%x-0x%x is not usable, and vmos boots there\n",
               BOOT_PML4, BOOT_MEMORY_END - 1);
    count = ranges_subtract(ranges, count, IDENTITY_END, E820_TOP);
    machine->low = boot_low_of_bios();
    machine->kernel_low.start = ranges_place(ranges, count, bytes, HIGH_MEMORY);
    machine->payload.start = machine->kernel_low.start + machine->kernel_low.length;
    if (machine->kernel_low.start) return;
    machine->kernel_low.length = 0; // the rest is as with --bare
    printf("# would not boot: the image needs %" PRIu64 " KiB in one piece above 1 MiB\n",
           bytes >> 10);
}

// ---- output ----

static int by_start(const void *a, const void *b) {
    u64 x = ((const struct reservation *)a)->start, y = ((const struct reservation *)b)->start;
    return x < y ? -1 : x > y;
}

static void print_reserved(struct reservation *list, size_t count) {
    qsort(list, count, sizeof *list, by_start);
    for (size_t i = 0, j; i < count; i = j) {
        u64 end = list[i].end;
        for (j = i + 1; j < count && list[j].start == end && !strcmp(list[j].why, list[i].why); j++)
            end = list[j].end;
        printf("reserved 0x%" PRIx64 " 0x%" PRIx64 " %s\n", list[i].start, end - list[i].start,
               list[i].why);
    }
}

static void print_plan(const struct machine *machine, const struct plan *plan) {
    static const char *const names[] = {"1G", "2M", "4K"};
    struct linear_map linear = {.extents = extents, .room = ARRAY_SIZE(extents)};
    linear_lay_out(&linear, plan->left.list, plan->left.count, machine->has_1g);
    u64 back = ranges_bytes(plan->back.list, plan->back.count), taken = 0,
        bytes = linear.end - LINEAR;
    for (size_t i = 0; i < plan->reserved_count; i++)
        taken += plan->reserved[i].end - plan->reserved[i].start;
    printf("# %u entries", machine->entries);
    if (plan->ignored) printf(", %u of them wrap and are ignored", plan->ignored);
    printf("; usable: %" PRIu64 " KiB\n# reserved: %" PRIu64 " KiB\n", (bytes + taken) >> 10,
           taken >> 10);
    printf("# linear: %" PRIu64 " KiB in %zu runs\n", bytes >> 10, linear.count);
    printf("# page tables of linear memory: %" PRIu64 " KiB\n",
           linear_tables(&linear) * (PAGE_SIZE / 1024));
    printf("# appended when booting is over: at most %" PRIu64 " KiB\n", back >> 10);
    print_reserved(plan->reserved, plan->reserved_count);
    for (size_t size = 0; size < 3; size++)
        for (size_t i = linear.first[size]; i < linear.first[size + 1]; i++)
            printf("0x%" PRIx64 " 0x%" PRIx64 " %" PRIu64 " %s\n", extents[i].linear,
                   extents[i].physical.at, extents[i].bytes / extents[i].page, names[size]);
}

static void refuse(const char *word, u64 length, const char *why) {
    errx(2, "--%.*s %s", (int)length, word, why);
}

static u64 read_limit(const char *value) {
    char word[64];
    struct options options;
    int length = snprintf(word, sizeof word, "mem=%s", value);
    options_read(word, length < (int)sizeof word ? (u64)length : sizeof word - 1, &options, refuse);
    return options.memory;
}

int main(int argc, char **argv) {
    static const struct option known[] = {{"kernel", 1, 0, 'k'}, {"image", 1, 0, 'i'},
                                          {"no-1g", 0, 0, 'n'},  {"bare", 0, 0, 'b'},
                                          {"mem", 1, 0, 'm'},    {0, 0, 0, 0}};
    const char *kernel = NULL, *image = NULL;
    bool bare = false;
    struct plan plan = {.reserved = reserved};
    struct machine machine = {map, .has_1g = true, .address_bits = 52, .ebda = LEGACY_HOLE};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == '?') return 2; // getopt_long has said what it did not like
        if (option == 'k') kernel = optarg;
        if (option == 'i') image = optarg;
        if (option == 'n') machine.has_1g = false;
        if (option == 'b') bare = true;
        if (option == 'm') machine.limit = read_limit(optarg);
    }
    if (optind + 1 != argc || !kernel || (image && bare))
        errx(2, "usage: memmap FILE [--image FILE] [--mem N] [--no-1g] [--bare]");
    machine.entries = read_map(argv[optind]);
    if (image)
        measure_image(image, &machine);
    else if (!bare)
        measure_kernel(kernel, &machine);
    if (!bare) place_image(&machine);
    bool fits = plan_make(&machine, &plan, scratch);
    if (!fits && !plan.kernel_bytes)
        printf("# would not boot: the image lies beyond --mem\n");
    else if (!fits)
        printf("# would not boot: the kernel needs %" PRIu64 " KiB in one piece\n",
               plan.kernel_bytes >> 10);
    print_plan(&machine, &plan);
    return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
