// What the loader says of memory (kernel/memory/bootinfo.c): each way in which it can be wrong, one
// at a time, is refused with its values, and what the BIOS way says is not.
#include <string.h>
#include <sys/mman.h>

#include "test/check.h"
#include "kernel/memory/bootinfo.c"
#include "kernel/memory/e820.c"
#include "kernel/lib/print.c"
#include "kernel/lib/string.c"

// All addresses are below 4 GiB, the map's own, too: it lies here where main() puts it.
static const struct e820_entry entries[] = {
    {0x100000, 0x7f00000, 1}, {0x9fc00, 0x400, 2}, {0, 0x9fc00, 1}, {0x2000000, 0x1000, 2}};

#define MAP_AT 0x10000000ull

static struct boot_info good(void) {
    struct boot_info info = {
        .magic = BOOT_INFO_MAGIC,
        .version = BOOT_INFO_VERSION,
        .size = sizeof info,
        .e820 = MAP_AT,
        .e820_count = ARRAY_SIZE(entries),
        .kernel_low = {0x100000, 0x30000},
        .payload = {0x130000, 0x21234},
        .kernel = {0x130200, 0x20000},
        .program = {0x150200, 0x1000},
        .command = {0x151200, 0x34},
        .low = boot_low_of_bios(),
    };
    return info;
}

static char text[256];

static bool says(const struct boot_info *info, const char *wanted) {
    memset(text, 0, sizeof text);
    if (!bootinfo_is_wrong(info, text, sizeof text)) strcpy(text, "nothing");
    if (strstr(text, wanted)) return true;
    fprintf(stderr, "says: %s\n", text);
    return false;
}

// After the change, the text has what is wanted.
#define REFUSED(change, wanted)                                                                    \
    do {                                                                                           \
        struct boot_info info = good();                                                            \
        info.change;                                                                               \
        CHECK(says(&info, wanted));                                                                \
    } while (0)

static void versions(void) {
    struct boot_info info = good();
    CHECK(!bootinfo_is_other(&info, text, sizeof text));
    info.version = 3;
    CHECK(bootinfo_is_other(&info, text, sizeof text) && strstr(text, "version 3, "));
    info = good(), info.size -= 8;
    CHECK(bootinfo_is_other(&info, text, sizeof text));
    info = good(), info.magic ^= 1;
    CHECK(bootinfo_is_other(&info, text, sizeof text) && strstr(text, "0x4f464e49534f4d57"));
}

static void parts(void) {
    REFUSED(version = BOOT_INFO_VERSION, "nothing");
    // The page of other CPUs: anywhere below 1 MiB, or nowhere.
    REFUSED(low.ap_start.start = 0x9e000, "nothing");
    REFUSED(low.ap_start.length = 0, "nothing");
    REFUSED(low.ap_root.start = 0x7fff000, "nothing");
    REFUSED(low.ap_start.start = 0,
            "page where other CPUs start, 0x1000 bytes at 0, should lie behind the first page and "
            "below 0x100000");
    REFUSED(low.ap_start.start = 0x1800, "start, 0x1000 bytes at 0x1800, should consist of whole");
    REFUSED(low.ap_start.length = 0x800, "start, 0x800 bytes at 0x1000, should consist of whole");
    REFUSED(low.ap_start.start = 0x200000, "at 0x200000, should lie behind the first page");
    REFUSED(low.ap_start.length = -0x1000ull, "below 0x100000");
    REFUSED(low.ap_start.start = 0x9f000, "at 0x9f000, is not usable memory from here on: 0x9f000");
    REFUSED(low.ap_root.start = 1ull << 32, "other CPUs, 0x1000 bytes at 0x100000000, should lie");
    REFUSED(low.ap_root.start = 0x8000000, "is not usable memory from here on: 0x8000000");
    REFUSED(low.ap_root.start = 0x1000, "table of other CPUs, 0x1000 bytes at 0x1000, overlaps");
    REFUSED(low.loader.length = 0, "should lie in what is at 0x10000");
    REFUSED(low.loader.length = 0x90000, "is not usable memory from here on: 0x9f000");
    REFUSED(low.loader = ((struct boot_part){0x2000, 0x2e000}), "at 0x2000, overlaps");
    REFUSED(low.firmware.length = 0xd001, "at 0x10000, overlaps with what is at 0x3000");
    REFUSED(low.firmware.length = 0, "nothing");
    REFUSED(kernel_low.start = 0x1ff0000, "is not usable memory from here on: 0x2000000");
    REFUSED(payload.start = 0x12f000,
            "image, 0x21234 bytes at 0x12f000, overlaps with what is at 0x100000");
    REFUSED(payload.length = UINT64_MAX, "image, 0xffffffffffffffff bytes at 0x130000, should lie");
}

static void inner(void) {
    REFUSED(low.handover.start = 0x1f000, "nothing");
    REFUSED(low.handover.start = 0x21000,
            "hand-over buffer, 0x10000 bytes at 0x21000, should lie in");
    REFUSED(low.handover.start = 0xf000, "should lie in what is at 0x10000");
    REFUSED(low.handover.start = 0x1f800, "should consist of whole pages");
    REFUSED(low.handover.length = 0x1000, "is too short for this memory map: it needs 0x2");
    REFUSED(e820_count = 0, "the memory map is said to be at");
    REFUSED(e820_count = UINT32_MAX, "the memory map is said to be at");
    REFUSED(e820 = 0x2fff0, "would lie over the memory map at 0x2fff0");
    REFUSED(e820 = 0xfffffff0, "the memory map is said to be at 0xfffffff0");
    REFUSED(kernel.start = 0x12ffff,
            "file, 0x20000 bytes at 0x12ffff, should lie in what is at 0x130000");
}

int main(void) {
    void *at = (void *)MAP_AT;
    if (mmap(at, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != at) return 1;
    memcpy(at, entries, sizeof entries);
    versions();
    parts();
    inner();
    return check_done("bootinfo");
}
