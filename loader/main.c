// The loader: from long mode on the first 2 MiB to the kernel, checked and relocated, with its program in memory.
// Entered from entry.asm; start.asm left its drive, its time stamp and the E820 map in low memory (boot/layout.h).
#include "loader/loader.h"
#include "loader/image.h"
#include "kernel/cpu/x86.h"
#include "kernel/device/devices.h"
#include "kernel/lib/crc32c.h"
#include "kernel/lib/elf.h"
#include "kernel/lib/string.h"

#define PAGE_PRESENT      (1u << 0)
#define PAGE_WRITE        (1u << 1)
#define PAGE_LARGE        (1u << 7)
#define LARGE_PAGE        0x200000u
#define GIB               0x40000000u
#define CPUID_1_ECX_SSE42 (1u << 20) // crc32 instruction

struct boot_info boot;
extern struct loader_header loader_header;
static u64 directories[IDENTITY_END / GIB - 1][512] __attribute__((section(".tables"), aligned(PAGE_SIZE)));
static struct image_header header;
static bool has_crc32;

static const struct e820_entry *const map = (const struct e820_entry *)E820_ENTRIES;

// 2 MiB pages only: they are on every CPU, and unlike 1 GiB pages they seldom span memory of different types, which
// the SDM (3 11.11.9) leaves undefined. The first one stays what it was, so nothing needs flushing.
static void map_identity(void) {
    u64 *pdpt = (u64 *)BOOT_PDPT;
    for (u64 gib = 0; gib < IDENTITY_END / GIB; gib++) {
        u64 *pd = gib ? directories[gib - 1] : (u64 *)BOOT_PD;
        for (u64 i = 0; i < 512; i++) pd[i] = (gib * GIB + i * LARGE_PAGE) | PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE;
        pdpt[gib] = (u64)pd | PAGE_PRESENT | PAGE_WRITE;
    }
}

// int 15h AX=EC00h BL=2: "the operating system will run in long mode" (AMD BIOS and kernel guide 13.1). Firmware that
// does not know it returns an error, which does not matter.
static void announce_long_mode(void) {
    struct bios_regs regs = {.eax = 0xec00, .ebx = 2};
    bios_call(0x15, &regs);
}

static void check_low_memory(void) {
    struct boot_part conflict;
    if (image_usable(map, boot.e820_count, BOOT_PML4, BOOT_MEMORY_END, &conflict)) return;
    fail("the BIOS keeps memory 0x%lx-0x%lx for itself (E820), but vmos boots in 0x%x-0x%x", conflict.start,
         conflict.start + conflict.length - 1, BOOT_PML4, BOOT_MEMORY_END - 1);
}

static u64 header_sector(void) { return (SECTOR_SIZE + loader_header.length) / SECTOR_SIZE; }

static void read_header(void) {
    disk_read(header_sector(), 1, &header);
    const char *wrong = image_check(&header, has_crc32);
    if (wrong) fail("the image %s; write it again", wrong);
}

// [kernel, loaded][payload: header and parts as they lie in the image], in one piece
static void place_image(void) {
    u64 payload = ROUND_UP(header.total, PAGE_SIZE), largest;
    u64 start = image_place(map, boot.e820_count, header.kernel_memory + payload, &largest);
    if (!start)
        fail("the image needs %lu KiB of memory above 1 MiB in one piece; the largest piece this machine has is %lu "
             "KiB",
             (header.kernel_memory + payload) >> 10, largest >> 10);
    boot.kernel_low = (struct boot_part){start, header.kernel_memory};
    boot.payload = (struct boot_part){start + header.kernel_memory, header.total};
}

static void read_payload(void) {
    u8 *to = (u8 *)boot.payload.start;
    memcpy(to, &header, sizeof(header)); // the one that was checked
    disk_read(header_sector() + 1, ROUND_UP(header.total, SECTOR_SIZE) / SECTOR_SIZE - 1, to + sizeof(header));
    disk_done();
}

static void check_parts(void) {
    static const char *const names[IMAGE_PARTS] = {"kernel", "program", "standard input", "command line"};
    struct boot_part *const parts[IMAGE_PARTS] = {&boot.kernel, &boot.program, &boot.input, &boot.command};
    for (int i = 0; i < IMAGE_PARTS; i++) {
        const struct image_part *part = &header.parts[i];
        if (!image_has_part(part)) continue;
        *parts[i] = (struct boot_part){boot.payload.start + part->offset, part->length};
        u32 crc = crc32c(0, (const void *)parts[i]->start, part->length, has_crc32);
        if (crc == part->crc) continue;
        fail("the image is damaged: its %s (%lu bytes at byte %lu of the image) has CRC-32C %08x, not %08x; write it "
             "again",
             names[i], part->length, header_sector() * SECTOR_SIZE + part->offset, crc, part->crc);
    }
    boot.has_input = image_has_part(&header.parts[IMAGE_INPUT]);
}

// Returns the address of its first instruction.
static u64 load_kernel(void) {
    struct elf elf;
    enum elf_error error = elf_open(&elf, (const void *)boot.kernel.start, boot.kernel.length, false);
    if (error) fail("the kernel in the image %s; write it again", elf_error_text(error));
    if (elf.high - elf.low != boot.kernel_low.length)
        fail("the kernel in the image takes %lu bytes of memory, but the image says %lu; build it again",
             elf.high - elf.low, boot.kernel_low.length);
    elf_load(&elf, (void *)boot.kernel_low.start);
    error = elf_relocate(&elf, (void *)boot.kernel_low.start, boot.kernel_low.start);
    if (error) fail("the kernel in the image %s; write it again", elf_error_text(error));
    return boot.kernel_low.start + elf.header->e_entry - elf.low;
}

static void describe_boot(u64 started) {
    boot.magic = BOOT_INFO_MAGIC;
    boot.version = BOOT_INFO_VERSION;
    boot.size = sizeof(boot);
    boot.e820 = E820_ENTRIES;
    boot.e820_count = LOW_MEMORY(u32, E820_MAP);
    boot.drive = LOW_MEMORY(u8, MBR_DRIVE);
    boot.tsc[STAGE_MBR] = LOW_MEMORY(u64, MBR_TSC);
    boot.tsc[STAGE_LOADER] = started;
}

void loader_main(u64 started) __attribute__((noreturn));
void loader_main(u64 started) {
    has_crc32 = cpuid(1, 0).ecx & CPUID_1_ECX_SSE42;
    logwire_init();
    if (!a20_enable()) fail("address line A20 stays off: this machine cannot reach its memory above 1 MiB");
    map_identity();
    announce_long_mode();
    describe_boot(started);
    check_low_memory();
    disk_init();
    read_header();
    place_image();
    read_payload();
    check_parts();
    u64 entry = load_kernel();
    machine_describe();
    say("%lu KiB from drive %02xh (%s) at 0x%lx", boot.payload.length >> 10, boot.drive, boot.edd ? "EDD" : "CHS",
        boot.kernel_low.start);
    boot.bios_calls = bios_calls;
    boot.tsc[STAGE_KERNEL_LOW] = rdtsc();
    enter_kernel(entry, &boot);
}
