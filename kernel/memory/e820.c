// Real maps come sorted and clean from most BIOSes, and unsorted, overlapping, with unknown types
// or wrapping from some (ACPI 6.4 section 15). One sweep over the sorted edges of all entries
// serves them all.
#include "kernel/memory/e820.h"

// An edge is an address, shifted up by two bits to make room for these.
#define EDGE_OPENS    1u
#define EDGE_WANTED   2u // of an entry of the type that is asked for
#define EDGE_AT(edge) ((edge) >> 2)

// Insertion sort: maps are sorted or nearly so, and then this takes one pass.
static void e820_edges_sort(u64 *edges, size_t count) {
    for (size_t i = 1; i < count; i++) {
        u64 edge = edges[i];
        size_t j = i;
        for (; j > 0 && edges[j - 1] > edge; j--) edges[j] = edges[j - 1];
        edges[j] = edge;
    }
}

// Both edges of one entry; returns how many it wrote, 2 or 0.
static size_t e820_edges_add(u64 *edges, const struct e820_entry *entry, u32 type) {
    bool wanted = entry->type == type;
    u64 start = entry->base;
    u64 end = start + entry->length;
    u64 flags = wanted ? EDGE_WANTED : 0;
    if (entry->length == 0 || (wanted && e820_wraps(entry))) return 0;
    if (!wanted && entry->type == E820_USABLE) return 0;
    if (end < start || end > E820_TOP) end = E820_TOP;
    if (!wanted) {
        start = ROUND_DOWN(start, PAGE_SIZE);
        end = ROUND_UP(end, PAGE_SIZE);
    }
    if (start >= end) return 0;
    edges[0] = start << 2 | flags | EDGE_OPENS;
    edges[1] = end << 2 | flags;
    return 2;
}

bool e820_wraps(const struct e820_entry *entry) {
    return entry->length && entry->base + (entry->length - 1) < entry->base;
}

size_t e820_ranges(const struct e820_entry *map, size_t count, u32 type, u64 *edges,
                   struct range *out) {
    size_t edge_count = 0;
    size_t ranges = 0;
    for (size_t i = 0; i < count; i++)
        edge_count += e820_edges_add(edges + edge_count, &map[i], type);
    e820_edges_sort(edges, edge_count);

    int wanted = 0;
    int taken = 0;
    u64 start = 0;
    bool open = false;
    for (size_t i = 0; i < edge_count;) {
        u64 at = EDGE_AT(edges[i]); // all edges at one address count before the state is looked at
        for (; i < edge_count && EDGE_AT(edges[i]) == at; i++) {
            int step = -1;
            if (edges[i] & EDGE_OPENS) step = 1;
            if (edges[i] & EDGE_WANTED)
                wanted += step;
            else
                taken += step;
        }
        bool now = wanted > 0 && taken == 0;
        if (now && !open) start = ROUND_UP(at, PAGE_SIZE);
        if (!now && open && start < ROUND_DOWN(at, PAGE_SIZE))
            out[ranges++] = (struct range){start, ROUND_DOWN(at, PAGE_SIZE)};
        open = now;
    }
    return ranges;
}

bool e820_covers(const struct e820_entry *map, size_t count, u64 start, u64 end) {
    for (u64 at = ROUND_DOWN(start, PAGE_SIZE); at < end;) {
        u64 next = at;
        for (size_t i = 0; i < count && next == at; i++) {
            if (!map[i].length) continue;
            u64 last = map[i].base + map[i].length - 1;
            if (last < map[i].base) last = UINT64_MAX; // it wraps
            if (map[i].base >= at + PAGE_SIZE || last < at) continue;
            next = end;
            if (last < end) next = ROUND_DOWN(last, PAGE_SIZE) + PAGE_SIZE;
        }
        if (next == at) return false;
        at = next;
    }
    return true;
}

// The first byte behind an entry, below E820_TOP.
static u64 e820_end(const struct e820_entry *entry) {
    u64 end = entry->base + entry->length;
    if (end < entry->base || end > E820_TOP) return E820_TOP;
    return end;
}

u64 e820_usable_until(const struct e820_entry *map, size_t count, u64 page) {
    u64 until = page, before;
    do { // entries come in any order
        before = until;
        for (size_t i = 0; i < count; i++)
            if (map[i].type == E820_USABLE && !e820_wraps(&map[i]) && map[i].base <= until)
                until = MAX(until, e820_end(&map[i]));
    } while (until != before);
    for (size_t i = 0; i < count; i++)
        if (map[i].type != E820_USABLE && map[i].length && e820_end(&map[i]) > page)
            until = MIN(until, MAX(map[i].base, page));
    return ROUND_DOWN(until, PAGE_SIZE);
}

size_t ranges_subtract(struct range *ranges, size_t count, u64 start, u64 end) {
    start = ROUND_DOWN(start, PAGE_SIZE);
    end = ROUND_UP(end, PAGE_SIZE);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct range range = ranges[i];
        if (end <= range.start || start >= range.end) {
            ranges[kept++] = range;
            continue;
        }
        if (range.start < start && end < range.end) {
            // A hole in the middle is the only case that needs room.
            for (size_t j = count; j > i + 1; j--) ranges[j] = ranges[j - 1];
            ranges[kept] = (struct range){range.start, start};
            ranges[kept + 1] = (struct range){end, range.end};
            return count + 1; // ranges are apart, so no other one is touched and kept == i
        }
        if (range.start < start) ranges[kept++] = (struct range){range.start, start};
        if (end < range.end) ranges[kept++] = (struct range){end, range.end};
    }
    return kept;
}

u64 ranges_bytes(const struct range *ranges, size_t count) {
    u64 bytes = 0;
    for (size_t i = 0; i < count; i++) bytes += ranges[i].end - ranges[i].start;
    return bytes;
}

u64 ranges_place(const struct range *ranges, size_t count, u64 length, u64 from) {
    for (size_t i = 0; i < count; i++) {
        u64 start = MAX(ranges[i].start, from);
        if (start < ranges[i].end && ranges[i].end - start >= length) return start;
    }
    return 0;
}

// The highest aligned 2 MiB inside [start, end), 0 when there are none.
static u64 e820_highest_2m(u64 start, u64 end) {
    end = ROUND_DOWN(end, PAGE_2M);
    if (end >= PAGE_2M && end - PAGE_2M >= start) return end - PAGE_2M;
    return 0;
}

u64 ranges_place_stack(const struct range *ranges, size_t count, bool has_1g) {
    u64 any = 0;
    u64 spare = 0; // spare: in no 1 GiB page
    for (size_t i = 0; i < count && ranges[i].start < IDENTITY_END; i++) {
        u64 start = ranges[i].start;
        u64 end = MIN(ranges[i].end, IDENTITY_END);
        u64 found = e820_highest_2m(start, end);
        u64 first_1g = ROUND_UP(start, PAGE_1G);
        u64 last_1g = ROUND_DOWN(end, PAGE_1G);
        if (found) any = found;
        if (has_1g && first_1g < last_1g && found < last_1g)
            found = e820_highest_2m(start, first_1g);
        if (found) spare = found;
    }
    if (spare) return spare;
    return any;
}
