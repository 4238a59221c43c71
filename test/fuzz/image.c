// Fuzz target for loader/image.c: the input is a header, whose magic and CRC are put right so that the deeper checks
// are reached, and behind it a memory map. What passes must keep the promises of image.h.
#include <stdlib.h>
#include <string.h>

#include "loader/image.c"
#include "kernel/lib/crc32c.c"

#define PROMISE(condition) ((condition) ? (void)0 : abort())

static void use_header(struct image_header header) {
    (void)!image_check(&header, true);
    memcpy(header.magic, IMAGE_MAGIC, sizeof(header.magic));
    header.version = IMAGE_VERSION;
    header.crc = 0;
    header.crc = crc32c(0, &header, sizeof(header), true);
    if (image_check(&header, false)) return;
    PROMISE(header.total <= IDENTITY_END && header.kernel_memory <= IDENTITY_END);
    for (int i = 0; i < IMAGE_PARTS; i++) {
        const struct image_part *part = &header.parts[i];
        if (!image_has_part(part)) continue;
        PROMISE(part->offset >= sizeof(header) && part->offset <= header.total);
        PROMISE(part->length <= header.total - part->offset);
    }
}

static bool inside(const struct e820_entry *entry, u64 address) {
    return address >= entry->base && address - entry->base < entry->length;
}

static void use_map(const struct e820_entry *map, u32 entries, u64 bytes) {
    struct boot_part conflict;
    u64 largest, at = image_place(map, entries, bytes, &largest);
    if (!image_usable(map, entries, BOOT_PML4, BOOT_MEMORY_END, &conflict)) {
        PROMISE(conflict.start >= BOOT_PML4 && conflict.length && conflict.length <= BOOT_MEMORY_END - conflict.start);
    }
    PROMISE(largest <= IDENTITY_END - HIGH_MEMORY);
    if (!at) return;
    PROMISE(at % PAGE_SIZE == 0 && at >= HIGH_MEMORY && at < IDENTITY_END && bytes <= IDENTITY_END - at);
    for (u32 i = 0; i < entries; i++) {
        if (map[i].type == 1 || !map[i].length) continue;
        PROMISE(!inside(&map[i], at) && !inside(&map[i], at + bytes - 1));
        PROMISE(map[i].base < at || map[i].base >= at + bytes);
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    struct image_header header = {0};
    memcpy(&header, data, size < sizeof(header) ? size : sizeof(header));
    use_header(header);
    // Shorter inputs serve as maps too; fields are scaled down to meet often.
    u32 entries = size / E820_ENTRY_SIZE;
    if (!entries || entries > 40) return 0;
    struct e820_entry *map = malloc(entries * sizeof(*map));
    memcpy(map, data, entries * sizeof(*map));
    use_map(map, entries, ROUND_UP(1 + header.total % 0x1000000, PAGE_SIZE));
    for (u32 i = 0; i < entries; i++) {
        map[i].base %= 0x800000;
        map[i].length %= 0x800000;
        map[i].type = map[i].type % 4 ? 1 : 2;
    }
    use_map(map, entries, ROUND_UP(1 + header.total % 0x100000, PAGE_SIZE));
    free(map);
    return 0;
}
