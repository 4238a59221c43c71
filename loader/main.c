// The loader: from long mode on the first 2 MiB to the kernel, checked and relocated, with its
// program in memory. Entered from entry.asm; start.asm left its drive, its time stamp and the E820
// map in low memory (boot/layout.h).
#include "loader/loader.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/x86.h"
#include "kernel/device/devices.h"
#include "kernel/lib/crc32c.h"
#include "kernel/lib/elf.h"
#include "kernel/lib/string.h"
#include "kernel/memory/e820.h"

#define PAGE_PRESENT (1u << 0)
#define PAGE_WRITE   (1u << 1)
#define PAGE_LARGE   (1u << 7)

struct boot_info boot;
struct options options;
extern u8 loader_bss[], loader_bss_end[];
static u64 directories[IDENTITY_END / PAGE_1G][512]
    __attribute__((section(".tables"), aligned(PAGE_SIZE)));
static struct image_header header;
static bool has_crc32;

// 2 MiB pages only: they are on every CPU, and unlike 1 GiB pages they seldom span memory of
// different types, which the SDM (3 11.11.9) leaves undefined. What is mapped already stays where
// it was, so nothing needs flushing.
static void main_map_identity(void) {
    u64 *entry = directories[0];
    u64 *pdpt = (u64 *)BOOT_PDPT;
    for (u64 page = PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE; page < IDENTITY_END; page += PAGE_2M)
        *entry++ = page;
    for (u64 gib = 0; gib < IDENTITY_END / PAGE_1G; gib++)
        pdpt[gib] = (u64)directories[gib] | PAGE_PRESENT | PAGE_WRITE;
}

// int 15h AX=EC00h BL=2: "the operating system will run in long mode" (AMD BIOS and kernel
// guide 13.1). It may fail.
static void main_announce_long_mode(void) {
    struct bios_regs regs = {.eax = 0xec00, .ebx = 2};
    bios_call(0x15, &regs);
}

// Lists the usable memory below 4 GiB in the bounce buffer, where it stays until something is read.
static struct range *const ranges = (struct range *)BOUNCE;
static size_t main_find_ranges(void) {
    u64 *edges = (u64 *)(ranges + E820_MAX);
    _Static_assert(E820_MAX * sizeof(*ranges) + E820_EDGES(E820_MAX) * sizeof(*edges) <=
                       BOUNCE_END - BOUNCE,
                   "both fit");
    const struct e820_entry *map = (const struct e820_entry *)boot.e820;
    size_t count = e820_ranges(map, boot.e820_count, E820_USABLE, edges, ranges);
    return ranges_subtract(ranges, count, IDENTITY_END, E820_TOP);
}

static void main_check_low_memory(void) {
    const struct e820_entry *map = (const struct e820_entry *)boot.e820;
    u64 usable = e820_usable_until(map, boot.e820_count, BOOT_PML4);
    if (usable < BOOT_MEMORY_END)
        fail("the BIOS keeps memory at 0x%lx for itself (E820), but vmos boots in 0x%x-0x%x",
             usable, BOOT_PML4, BOOT_MEMORY_END - 1);
}

static u64 main_header_sector(void) { return (SECTOR_SIZE + loader_header.length) / SECTOR_SIZE; }

static void main_read_header(void) {
    disk_read(main_header_sector(), 1, &header);
    const char *wrong = image_check(&header, has_crc32);
    if (wrong) fail("the image %s; write it again", wrong);
}

// [kernel, loaded][payload: header and parts as they lie in the image], in one piece
static void main_place_image(void) {
    u64 bytes = header.kernel_memory + ROUND_UP(header.total, PAGE_SIZE);
    u64 count = main_find_ranges();
    u64 start = ranges_place(ranges, count, bytes, HIGH_MEMORY);
    if (!start)
        fail("the image needs %lu KiB of memory above 1 MiB in one piece; all of this machine's "
             "below 4 GiB is %lu KiB",
             bytes >> 10, ranges_bytes(ranges, count) >> 10);
    boot.kernel_low = (struct boot_part){start, header.kernel_memory};
    boot.payload = (struct boot_part){start + header.kernel_memory, header.total};
}

static void main_read_payload(void) {
    u8 *to = (u8 *)boot.payload.start;
    memcpy(to, &header, sizeof(header)); // the one that was checked
    disk_read(main_header_sector() + 1, ROUND_UP(header.total, SECTOR_SIZE) / SECTOR_SIZE - 1,
              to + sizeof(header));
    disk_done();
}

static void main_check_parts(void) {
    static const char *const names[IMAGE_PARTS] = {"kernel", "program", "standard input",
                                                   "command line"};
    struct boot_part *const parts[IMAGE_PARTS] = {&boot.kernel, &boot.program, &boot.input,
                                                  &boot.command};
    for (int i = 0; i < IMAGE_PARTS; i++) {
        const struct image_part *part = &header.parts[i];
        if (!image_has_part(part)) continue;
        *parts[i] = (struct boot_part){boot.payload.start + part->offset, part->length};
        u32 crc = crc32c(0, (const void *)parts[i]->start, part->length, has_crc32);
        if (crc == part->crc) continue;
        fail("the image is damaged: its %s (%lu bytes at byte %lu of the image) has CRC-32C %08x, "
             "not %08x; write it again",
             names[i], part->length, main_header_sector() * SECTOR_SIZE + part->offset, crc,
             part->crc);
    }
    boot.has_input = image_has_part(&header.parts[IMAGE_INPUT]);
}

typedef void (*kernel_entry)(const struct boot_info *); // does not return

static kernel_entry main_load_kernel(void) {
    struct elf elf;
    enum elf_error error =
        elf_open_kernel(&elf, (const void *)boot.kernel.start, boot.kernel.length);
    if (error) fail("the kernel in the image %s; write it again", elf_error_text(error));
    if (elf.high - elf.low != boot.kernel_low.length)
        fail("the kernel in the image takes %lu bytes of memory, but the image says %lu; build it "
             "again",
             elf.high - elf.low, boot.kernel_low.length);
    elf_load(&elf, (void *)boot.kernel_low.start);
    error = elf_relocate(&elf, (void *)boot.kernel_low.start, boot.kernel_low.start);
    if (error) fail("the kernel in the image %s; write it again", elf_error_text(error));
    return (kernel_entry)(boot.kernel_low.start + elf.header->e_entry - elf.low);
}

static void main_describe_boot(u64 started) {
    boot.magic = BOOT_INFO_MAGIC;
    boot.version = BOOT_INFO_VERSION;
    boot.size = sizeof(boot);
    boot.e820 = E820_ENTRIES;
    boot.e820_count = LOW_MEMORY(u32, E820_MAP);
    boot.low = boot_low_of_bios();
    boot.drive = LOW_MEMORY(u8, MBR_DRIVE);
    boot.tsc[STAGE_MBR] = LOW_MEMORY(u64, MBR_TSC);
    boot.tsc[STAGE_LOADER] = started;
}

void loader_main(u64 started) {
    memset(loader_bss, 0, (u64)loader_bss_end - (u64)loader_bss);
    has_crc32 = cpuid(1, 0).ecx & CPUID_1_ECX_SSE42;
    logwire_init();
    a20_enable();
    main_map_identity();
    main_announce_long_mode();
    main_describe_boot(started);
    main_check_low_memory();
    disk_init();
    main_read_header();
    main_place_image();
    main_read_payload();
    main_check_parts();
    options_read((const char *)boot.command.start, boot.command.length, &options, NULL);
    kernel_entry enter = main_load_kernel();
    machine_describe();
    video_choose();
    say("%lu KiB from drive %02xh (%s, %u sectors a call, %u BIOS calls) at 0x%lx",
        boot.payload.length >> 10, boot.drive, boot.edd ? "EDD" : "CHS", boot.read_most, bios_calls,
        boot.kernel_low.start);
    video_switch();
    a20_enable();
    boot.bios_calls = bios_calls;
    boot.pit = pit_start();
    boot.tsc[STAGE_KERNEL_LOW] = rdtsc();
    enter(&boot);
    __builtin_unreachable();
}
