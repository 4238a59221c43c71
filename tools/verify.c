// Checks an image where it lies and says what a BIOS would do with it:
//   verify MBR IMAGE|DEVICE
//   verify --unused DEVICE
// MBR is the boot sector that the tree builds. One line per fact, on standard error what is wrong. Status: 0 it would
// boot, 1 it would not, 2 wrong usage.
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "kernel/lib/options.h"
#include "tools/medium.h"

static struct medium medium;

static void say_ignored(const char *word, u64 length, const char *why) {
    printf("command line: %.*s %s, and is ignored\n", (int)length, word, why);
}

static void check_part(enum image_part_kind kind) {
    struct options options;
    if (!image_has_part(&medium.header.parts[kind])) return;
    struct bytes bytes = medium_part(&medium, kind);
    if (kind == IMAGE_PROGRAM) program_check("the program", bytes.data, bytes.length);
    u64 memory = kind == IMAGE_KERNEL ? kernel_check("the kernel", bytes.data, bytes.length) : 0;
    if (memory && memory != medium.header.kernel_memory)
        errx(1, "the kernel takes %lu bytes of memory, and the header says %lu", memory, medium.header.kernel_memory);
    printf("%s: %lu bytes at byte %lu, CRC-32C %08x\n", bytes.name, bytes.length,
           medium.header_at + medium.header.parts[kind].offset, medium.header.parts[kind].crc);
    if (kind == IMAGE_COMMAND) options_read((const char *)bytes.data, bytes.length, &options, say_ignored);
}

int main(int argc, char **argv) {
    if (argc != 3) errx(2, "usage: verify MBR IMAGE|DEVICE");
    if (!strcmp(argv[1], "--unused")) return fopen(argv[2], "r+x") ? 0 : (warn("%s", argv[2]), 1);
    medium_open(&medium, argv[2], false);
    struct bytes ours = read_file(argv[1]);
    bool same = ours.length == SECTOR_SIZE && !memcmp(ours.data, medium.mbr, DISK_SIGNATURE_AT);
    u64 end = medium_end(&medium);
    printf("%s: %lu bytes; the image ends before sector %lu\n", medium.name, medium.size, end);
    printf("boot sector: %s tree; disk signature %08x\n", same ? "the one of this" : "of another build than this",
           *(const u32 *)(medium.mbr + DISK_SIGNATURE_AT));
    puts("partitions: one is active and holds the image; two are there, so no BIOS takes a stick for a ZIP drive");
    printf("loader: %lu bytes at byte 512\n", medium.header_at - SECTOR_SIZE);
    for (enum image_part_kind kind = 0; kind < IMAGE_PARTS; kind++) check_part(kind);
    bool near = end <= 1024 * 16 * 63, whole = medium.size % DISK_UNIT == 0;
    printf("reach: BIOSes that read only the first 504 MiB of a disk %s\n", near ? "read all of it" : "cannot boot it");
    if (medium.size == FLOPPY_SIZE)
        puts("floppy: 80 cylinders, 2 heads, 18 sectors; a BIOS boots it as drive 00h, by CHS");
    else
        printf("disk: a BIOS boots it as drive 80h, by EDD, else by CHS; cylinders of 16 heads and 63 sectors are %s\n",
               whole ? "whole, as Bochs wants" : "not whole: not for Bochs");
    return fflush(stdout) || ferror(stdout);
}
