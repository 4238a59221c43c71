// See medium.h. What is read is untrusted: no length is believed before the medium was found to have as much.
#include <err.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "tools/medium.h"

static void read_at(const struct medium *medium, const char *what, u64 at, void *to, u64 length) {
    if (at > medium->size || length > medium->size - at)
        errx(1, "%s is cut off: it has %lu bytes, and its %s takes bytes %lu to %lu", medium->name, medium->size, what,
             at, at + length - 1);
    if (fseeko(medium->stream, (off_t)at, SEEK_SET) || fread(to, 1, length, medium->stream) != length)
        err(1, "cannot read the %s, bytes %lu to %lu, from %s", what, at, at + length - 1, medium->name);
}

static void read_loader(struct medium *medium) {
    struct loader_header *header = (struct loader_header *)medium->loader;
    read_at(medium, "loader", SECTOR_SIZE, header, SECTOR_SIZE);
    u64 length = header->length;
    if (header->magic != LOADER_MAGIC)
        errx(1,
             "%s is no image of vmos, or not written from the first sector on: sector 1 has %08x, not %08x, at byte 4",
             medium->name, header->magic, LOADER_MAGIC);
    read_at(medium, "loader", SECTOR_SIZE, header, MIN(length, sizeof medium->loader));
    loader_check("the loader", medium->loader, length);
    u32 stated = header->crc;
    header->crc = 0;
    u32 crc = crc_of(header, length);
    if (crc != stated) errx(1, "the loader is damaged: it has CRC-32C %08x, and should have %08x", crc, stated);
    medium->header_at = SECTOR_SIZE + length;
}

void medium_open(struct medium *medium, const char *name, bool write) {
    struct stat status;
    int sector = SECTOR_SIZE;
    FILE *stream = fopen(name, write ? "r+x" : "r"); // x, that is O_EXCL: a device that is mounted or held is busy
    if (!stream || fstat(fileno(stream), &status) || fseeko(stream, 0, SEEK_END)) err(1, "cannot open %s", name);
    *medium = (struct medium){name, stream, .size = (u64)ftello(stream), .is_file = S_ISREG(status.st_mode)};
    if (!ioctl(fileno(stream), BLKSSZGET, &sector) && sector != SECTOR_SIZE)
        errx(1, "%s has sectors of %d bytes, and the image is for sectors of 512", name, sector);
    read_at(medium, "boot sector", 0, medium->mbr, SECTOR_SIZE);
    mbr_check("sector 0", medium->mbr);
    read_loader(medium);
    read_at(medium, "header", medium->header_at, &medium->header, sizeof medium->header);
    const char *wrong = image_check(&medium->header, false);
    if (wrong) errx(1, "the image %s", wrong);
    wrong = table_check(medium->mbr, medium_end(medium), medium->size / SECTOR_SIZE);
    if (wrong) errx(1, "%s", wrong);
}

struct bytes medium_part(const struct medium *medium, enum image_part_kind kind) {
    static const char *const names[IMAGE_PARTS] = {"kernel", "program", "standard input", "command line"};
    const struct image_part *part = &medium->header.parts[kind];
    struct bytes bytes = {.name = names[kind], .length = part->length};
    u64 at = medium->header_at + part->offset;
    if (part->length <= medium->size) reserve(&bytes, part->length); // else there is nothing to read
    read_at(medium, bytes.name, at, bytes.data, part->length);
    u32 crc = crc_of(bytes.data, part->length);
    if (crc != part->crc)
        errx(1, "the %s, %lu bytes at byte %lu of %s, is damaged: it has CRC-32C %08x, and should have %08x",
             bytes.name, part->length, at, medium->name, crc, part->crc);
    return bytes;
}

u64 medium_end(const struct medium *medium) {
    return ROUND_UP(medium->header_at + medium->header.total, SECTOR_SIZE) / SECTOR_SIZE;
}
