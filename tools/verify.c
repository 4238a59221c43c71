// Checks an image where it lies and says what a BIOS would do with it:
//   verify MBR CD_MBR IMAGE|DEVICE
//   verify --alone DEVICE COMMAND...    runs it with the device, which nobody else may hold, open
//   as file 3
// The MBRs are the boot sectors that the tree builds. One line per fact, on standard error what is
// wrong. Status: 0 it would boot, 1 it would not, 2 wrong usage.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
        errx(1, "the kernel takes %lu bytes of memory, and the header says %lu", memory,
             medium.header.kernel_memory);
    printf("%s: %lu bytes at byte %lu, CRC-32C %08x\n", bytes.name, bytes.length,
           medium.header_at + medium.header.parts[kind].offset, medium.header.parts[kind].crc);
    if (kind == IMAGE_COMMAND)
        options_read((const char *)bytes.data, bytes.length, &options, say_ignored);
}

// A CD's own sectors are what mkimage makes of its boot sector, its loader and the image's length.
// Returns the first.
static const u8 *check_cd(u32 file_length) {
    static u8 is[CD_START], right[CD_START], *const mbr = is + CD_BOOT * CD_SECTOR_SIZE;
    rewind(medium.stream);
    if (fread(is, 1, sizeof is, medium.stream) != sizeof is) err(1, "cannot read %s", medium.name);
    iso_describe(right, mbr, medium.loader, file_length);
    if (memcmp(is, right, sizeof is))
        errx(1, "what the CD has before the image, its directory for one, is damaged");
    return mbr;
}

static void run_alone(char **words) {
    int file = open(words[0], O_RDWR | O_EXCL);
    if (file < 0 || dup2(file, 3) < 0)
        err(1, "nothing was written: cannot have %s alone", words[0]);
    execvp(words[1], words + 1);
    err(1, "cannot run %s", words[1]);
}

int main(int argc, char **argv) {
    if (argc > 3 && !strcmp(argv[1], "--alone")) run_alone(argv + 2);
    if (argc != 4) errx(2, "usage: verify MBR CD_MBR IMAGE|DEVICE");
    setvbuf(stdout, NULL, _IOLBF, 0); // what is wrong comes last also where both outputs are one
    medium_open(&medium, argv[3], false);
    u64 end = medium_end(&medium);
    const u8 *mbr = medium.base ? check_cd((u32)(end + 1) * SECTOR_SIZE) : medium.mbr;
    struct bytes ours = read_file(argv[medium.base ? 2 : 1]);
    bool same = ours.length == SECTOR_SIZE && !memcmp(ours.data, mbr, DISK_SIGNATURE_AT);
    printf("%s: %lu bytes; the image ends before sector %lu\n", medium.name,
           medium.base + medium.size, end);
    printf("boot sector: %s tree; disk signature %08x\n",
           same ? "the one of this" : "of another build than this",
           *(const u32 *)(mbr + DISK_SIGNATURE_AT));
    puts(
        "partitions: one is active and holds the image; two are there, so no BIOS takes a stick for a ZIP drive");
    printf("loader: %lu bytes at byte 512\n", medium.header_at - SECTOR_SIZE);
    for (enum image_part_kind kind = 0; kind < IMAGE_PARTS; kind++) check_part(kind);
    if (medium.base)
        return puts("cd: a BIOS boots it by El Torito, without emulation, and reads it by EDD") < 0;
    printf("reach: BIOSes that read only the first 504 MiB of a disk %s\n",
           end <= 1024 * 16 * 63 ? "read all of it" : "cannot boot it");
    const char *cylinders =
        medium.size % DISK_UNIT ? "not whole, so it is not for Bochs" : "whole, as Bochs wants";
    if (medium.size == FLOPPY_SIZE)
        puts("floppy: a BIOS boots it as drive 00h, by CHS, with 80/2/18");
    else
        printf(
            "disk: a BIOS boots it as drive 80h, by EDD, else by CHS; cylinders of 16/63 are %s\n",
            cylinders);
    return fflush(stdout) || ferror(stdout);
}
