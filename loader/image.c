// The decisions about an image: see image.h. No hardware and no state, so that it is tested and fuzzed on the host.
// Header and map are untrusted: every length, sum and wrap-around is checked before use.
#include "loader/image.h"
#include "kernel/lib/crc32c.h"
#include "kernel/lib/string.h"

bool image_has_part(const struct image_part *part) { return part->offset || part->length; }

static const char *check_parts(const struct image_header *header) {
    u64 end = sizeof(*header);
    for (int i = 0; i < IMAGE_PARTS; i++) {
        const struct image_part *part = &header->parts[i];
        if (!image_has_part(part)) continue;
        if (part->offset < end) return "has parts that overlap";
        if (part->offset > header->total || part->length > header->total - part->offset)
            return "has a part that reaches behind its end";
        end = part->offset + part->length;
    }
    if (!header->parts[IMAGE_KERNEL].length) return "has no kernel";
    if (!header->parts[IMAGE_PROGRAM].length) return "has no program";
    return NULL;
}

const char *image_check(const struct image_header *header, bool has_crc32) {
    if (memcmp(header->magic, IMAGE_MAGIC, sizeof(header->magic)))
        return "has no header behind the loader (damaged, or not written from the start of the medium)";
    struct image_header copy = *header;
    copy.crc = 0;
    if (crc32c(0, &copy, sizeof(copy), has_crc32) != header->crc) return "has a damaged header (wrong CRC)";
    if (header->version != IMAGE_VERSION) return "has a header of another version than this loader";
    if (header->total < sizeof(*header) || header->total > IDENTITY_END) return "has an impossible length";
    if (!header->kernel_memory || header->kernel_memory % PAGE_SIZE || header->kernel_memory > IDENTITY_END)
        return "has a kernel of impossible size";
    return check_parts(header);
}

// An entry's end; one that wraps claims everything from its base on, and offers nothing (see usable_end).
static u64 entry_end(const struct e820_entry *entry) {
    return entry->base + entry->length < entry->base ? UINT64_MAX : entry->base + entry->length;
}

static bool is_usable(const struct e820_entry *entry) {
    return entry->type == 1 && entry->base + entry->length >= entry->base;
}

// How far memory is usable from start on: start itself when not at all. First joins usable entries that touch or
// overlap, then cuts at the first byte that any other entry claims.
//     usable  [0x100000        [0x200000                  )
//     other                               [0x280000  )
//     from 0x180000:   ------------------->
static u64 usable_end(const struct e820_entry *map, u32 entries, u64 start) {
    u64 end = start;
    for (bool grown = true; grown;) {
        grown = false;
        for (u32 i = 0; i < entries; i++)
            if (is_usable(&map[i]) && map[i].base <= end && entry_end(&map[i]) > end) {
                end = entry_end(&map[i]);
                grown = true;
            }
    }
    for (u32 i = 0; i < entries; i++)
        if (map[i].type != 1 && map[i].length && map[i].base < end && entry_end(&map[i]) > start)
            end = map[i].base > start ? map[i].base : start;
    return end;
}

// Memory can only become usable where an entry starts or ends, so these addresses are all there is to try.
u64 image_place(const struct e820_entry *map, u32 entries, u64 bytes, u64 *largest) {
    u64 best = 0;
    *largest = 0;
    for (u32 i = 0; i < 2 * entries; i++) {
        const struct e820_entry *entry = &map[i / 2];
        u64 start = i % 2 ? entry_end(entry) : entry->base;
        if (start < HIGH_MEMORY) start = HIGH_MEMORY;
        if (start >= IDENTITY_END) continue;
        start = ROUND_UP(start, PAGE_SIZE);
        if (best && start >= best) continue;
        u64 end = usable_end(map, entries, start);
        if (end > IDENTITY_END) end = IDENTITY_END;
        u64 room = end > start ? end - start : 0;
        if (room >= bytes) best = start;
        if (room > *largest) *largest = room;
    }
    return best;
}

bool image_usable(const struct e820_entry *map, u32 entries, u64 start, u64 end, struct boot_part *conflict) {
    conflict->start = usable_end(map, entries, start);
    if (conflict->start >= end) return true;
    u64 next = end; // where usable memory starts again
    for (u32 i = 0; i < 2 * entries; i++) {
        u64 edge = i % 2 ? entry_end(&map[i / 2]) : map[i / 2].base;
        if (edge > conflict->start && edge < next && usable_end(map, entries, edge) > edge) next = edge;
    }
    conflict->length = next - conflict->start;
    return false;
}
