// See medium.h. Pure. The table may be anybody's: sums of its numbers are made in 64 bits.
#include <stdio.h>
#include <string.h>

#include "tools/medium.h"

struct entry {
    u32 flag : 8, first_chs : 24, type : 8, last_chs : 24;
    u32 first, sectors;
};

// CHS of a sector for 255 heads and 63 sectors as the table packs it; what lies beyond cylinder
// 1023 is FE FF FF.
static u32 chs_of(u64 lba) {
    u32 cylinder = (u32)(lba / (255 * 63)), head = lba / 63 % 255, sector = lba % 63 + 1;
    return cylinder > 1023 ? 0xfffffe
                           : head | sector << 8 | (cylinder & 0x300) << 6 | (cylinder & 0xff) << 16;
}

static struct entry make(u8 flag, u8 type, u32 first, u32 sectors) {
    return (struct entry){flag,  chs_of(first), type, chs_of((u64)first + sectors - 1),
                          first, sectors};
}

void table_put(u8 *sector, u32 image_end) {
    // entry 2 is there because a stick with one entry is taken for a ZIP drive by some BIOSes
    struct entry ours[] = {make(0x80, 0x7f, 1, image_end - 1), make(0, 0xda, image_end, 1)};
    memcpy(sector + PARTITIONS_AT, ours, sizeof ours);
}

static void describe(const struct entry *e, char text[100]) {
    snprintf(text, 100, "flag %02xh, type %02xh, %u sectors from %u, CHS %06x to %06x", e->flag,
             e->type, e->sectors, e->first, e->first_chs, e->last_chs);
}

const char *table_check(const u8 *sector, u64 image_end, u64 sectors) {
    static char text[300];
    char is[100], should_be[100] = "empty, or not active, behind the image and on the medium";
    u8 right[SECTOR_SIZE] = {0};
    struct entry entry, ours;
    table_put(right, (u32)image_end);
    snprintf(text, sizeof text,
             "the medium is cut off: it has %lu sectors, and image and partitions take %lu",
             sectors, image_end + 1);
    if (image_end >= sectors) return text;
    for (u32 i = 0, at = PARTITIONS_AT; i < 4; i++, at += sizeof entry) {
        memcpy(&entry, sector + at, sizeof entry);
        memcpy(&ours, right + at, sizeof ours);
        bool other = i > 1 && !entry.flag && entry.first > image_end &&
                     (u64)entry.first + entry.sectors <= sectors;
        if (other || !memcmp(&entry, &ours, sizeof entry)) continue;
        describe(&entry, is);
        if (i < 2) describe(&ours, should_be);
        snprintf(text, sizeof text, "partition %u (%s) should be %s", i + 1, is, should_be);
        return text;
    }
    return NULL;
}
