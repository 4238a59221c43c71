// See medium.h. Pure. The table may be anybody's: sums of its numbers are made in 64 bits.
#include <stdio.h>
#include <string.h>

#include "tools/medium.h"

struct entry {
    u8 flag, first_chs[3], type, last_chs[3];
    u32 first, sectors;
} __attribute__((packed));

// CHS of a sector for 255 heads and 63 sectors as the table packs it; what lies beyond cylinder 1023 is FE FF FF.
static void put_chs(u8 *to, u64 lba) {
    u64 cylinder = lba / (255 * 63);
    if (cylinder > 1023) {
        memcpy(to, "\xfe\xff\xff", 3);
        return;
    }
    to[0] = (u8)(lba / 63 % 255);
    to[1] = (u8)(lba % 63 + 1) | (u8)(cylinder >> 2 & 0xc0);
    to[2] = (u8)cylinder;
}

static void put_entry(u8 *at, u8 flag, u8 type, u32 first, u32 sectors) {
    struct entry entry = {.flag = flag, .type = type, .first = first, .sectors = sectors};
    put_chs(entry.first_chs, first);
    put_chs(entry.last_chs, (u64)first + sectors - 1);
    memcpy(at, &entry, sizeof entry);
}

void table_put(u8 *sector, u32 image_end) {
    put_entry(sector + PARTITIONS_AT, 0x80, 0x7f, 1, image_end - 1);
    // entry 2 is there because a stick with one entry is taken for a ZIP drive by some BIOSes
    put_entry(sector + PARTITIONS_AT + sizeof(struct entry), 0, 0xda, image_end, 1);
}

static void describe(const struct entry *e, char *text, size_t bytes) {
    snprintf(text, bytes, "flag %02xh, type %02xh, %u sectors from %u, CHS %02x %02x %02x to %02x %02x %02x", e->flag,
             e->type, e->sectors, e->first, e->first_chs[0], e->first_chs[1], e->first_chs[2], e->last_chs[0],
             e->last_chs[1], e->last_chs[2]);
}

const char *table_check(const u8 *sector, u64 image_end, u64 sectors) {
    static char text[400];
    char found[120], expected[120];
    struct entry entries[4], ours[4] = {0};
    u8 right[SECTOR_SIZE] = {0};
    table_put(right, (u32)image_end);
    memcpy(entries, sector + PARTITIONS_AT, sizeof entries);
    memcpy(ours, right + PARTITIONS_AT, sizeof ours);
    for (int i = 0; i < 4; i++) {
        const struct entry *entry = &entries[i];
        if (!memcmp(entry, &ours[i], sizeof *entry)) continue;
        describe(entry, found, sizeof found);
        describe(&ours[i], expected, sizeof expected);
        if (i >= 2 && !entry->flag && entry->first > image_end && (u64)entry->first + entry->sectors <= sectors)
            continue;
        snprintf(text, sizeof text, "partition %d (%s) should be %s", i + 1, found,
                 i < 2 ? expected : "empty, or not active, behind the image and on the medium");
        return text;
    }
    snprintf(text, sizeof text, "the medium has %lu sectors, and image and partitions take %lu: it is cut off", sectors,
             image_end + 1);
    return image_end < sectors ? NULL : text;
}
