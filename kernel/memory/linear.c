// Lays out linear memory and translates between it and physical addresses; see linear.h for the
// picture.
#include "kernel/memory/linear.h"

static const u64 page_sizes[3] = {PAGE_1G, PAGE_2M, PAGE_SIZE};

// Appends physical [start, end); joins the run before when it continues it.
static void linear_extent_add(struct linear_map *map, size_t first, u64 start, u64 end, u64 page) {
    if (start >= end) return;
    struct extent *extents = map->extents;
    struct extent *last = NULL;
    if (map->count > first) last = &extents[map->count - 1];
    if (last && last->physical.at + last->bytes == start) {
        last->bytes += end - start;
    } else {
        size_t i = map->count;
        size_t place = map->count++;
        for (; i > 0 && extents[extents[i - 1].by_physical].physical.at > start; i--)
            extents[i].by_physical = extents[i - 1].by_physical;
        extents[i].by_physical = (u32)place;
        extents[place].linear = map->end;
        extents[place].physical.at = start;
        extents[place].bytes = end - start;
        extents[place].page = (u32)page;
    }
    map->end += end - start;
}

// The part of [start, end) that pages of this size can cover; empty (start == end) when there is
// none.
static struct range linear_aligned_part(u64 start, u64 end, u64 page) {
    struct range part = {ROUND_UP(start, page), ROUND_DOWN(end, page)};
    if (part.start >= part.end) part.start = part.end = start;
    return part;
}

void linear_lay_out(struct linear_map *map, const struct range *ranges, size_t count, bool has_1g) {
    map->count = 0;
    map->end = LINEAR;
    for (size_t size = 0; size < 3; size++) {
        size_t first = map->first[size] = map->count;
        if (size == 0 && !has_1g) continue;
        for (size_t i = 0; i < count; i++) {
            struct range part =
                linear_aligned_part(ranges[i].start, ranges[i].end, page_sizes[size]);
            // What larger pages already took, in the middle of it.
            struct range larger = {part.start, part.start};
            if (size == 2 || (size == 1 && has_1g))
                larger = linear_aligned_part(part.start, part.end, page_sizes[size - 1]);
            linear_extent_add(map, first, part.start, larger.start, page_sizes[size]);
            linear_extent_add(map, first, larger.end, part.end, page_sizes[size]);
        }
    }
    map->first[3] = map->count;
}

bool linear_append(struct linear_map *map, u64 start, u64 end) {
    const struct extent *last = &map->extents[map->count - 1];
    bool continues = map->count > map->first[3] && last->physical.at + last->bytes == start;
    if (!continues && map->count == map->room) return false;
    linear_extent_add(map, map->first[3], start, end, PAGE_SIZE);
    return true;
}

laddr linear_start(const struct linear_map *map, size_t size) {
    if (map->first[size] < map->count) return (laddr){map->extents[map->first[size]].linear};
    return (laddr){map->end};
}

// Every size begins where a table of the next smaller one would: only the last table of each level
// is not full.
u64 linear_tables(const struct linear_map *map) {
    u64 tables = 0;
    for (size_t size = 0; size < 3; size++)
        tables += ROUND_UP(map->end - linear_start(map, size).at, page_sizes[size] << 9) /
                  (page_sizes[size] << 9);
    return tables;
}

// The last extent that starts at or below an address, in one of the two orders; NULL when there is
// none.
static inline const struct extent *linear_find(const struct linear_map *map, u64 address,
                                               bool by_physical) {
    const struct extent *found = NULL;
    for (size_t low = 0, high = map->count; low < high;) {
        size_t middle = (low + high) / 2;
        const struct extent *extent =
            &map->extents[by_physical ? map->extents[middle].by_physical : middle];
        bool below = (by_physical ? extent->physical.at : extent->linear) <= address;
        if (below) found = extent;
        if (below)
            low = middle + 1;
        else
            high = middle;
    }
    return found;
}

paddr linear_to_physical(const struct linear_map *map, laddr linear) {
    const struct extent *extent = linear_find(map, linear.at, false);
    bool inside = extent && linear.at - extent->linear < extent->bytes;
    if (!inside) return (paddr){UINT64_MAX};
    return paddr_add(extent->physical, linear.at - extent->linear);
}

laddr physical_to_linear(const struct linear_map *map, paddr physical) {
    const struct extent *extent = linear_find(map, physical.at, true);
    bool inside = extent && physical.at - extent->physical.at < extent->bytes;
    if (!inside) return (laddr){UINT64_MAX};
    return (laddr){physical.at - extent->physical.at + extent->linear};
}
