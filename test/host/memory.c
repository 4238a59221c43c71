// The way from the BIOS map to linear memory, against a naive model that looks at every page, on
// hand-made and on random maps; and the translation both ways.
#include <stdlib.h>
#include <string.h>

#include "test/check.h"
#include "kernel/memory/e820.c"
#include "kernel/memory/linear.c"

#define MAP_MAX     40
#define MODEL_PAGES 0x4000 // the model covers 64 MiB; scaled maps reach further

static u64 edges[E820_EDGES(E820_MAX)];
static struct range ranges[E820_MAX + 8];
static struct extent extents[EXTENTS_PER_RANGE * (E820_MAX + 8)];

static void shuffle(struct e820_entry *map, size_t count) {
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)rand() % i;
        struct e820_entry swap = map[i - 1];
        map[i - 1] = map[j];
        map[j] = swap;
    }
}

// Is this page usable by the definition: wholly covered by usable entries, touched by no other? One
// entry after the other fills it from its start.
static bool model_usable(const struct e820_entry *map, size_t count, u64 page) {
    u64 filled = page;
    for (size_t i = 0; i < count; i++) {
        u64 start = map[i].base, end = start + map[i].length;
        if (map[i].length == 0 || map[i].type == 1) continue;
        if (end < start) end = UINT64_MAX;
        if (start < page + PAGE_SIZE && end > page) return false;
    }
    for (bool more = true; more && filled < page + PAGE_SIZE;) {
        more = false;
        for (size_t i = 0; i < count; i++)
            if (map[i].type == 1 && map[i].length && map[i].base <= filled &&
                map[i].base + map[i].length - 1 >= filled) {
                if (map[i].base + map[i].length - 1 == UINT64_MAX) return true;
                filled = map[i].base + map[i].length;
                more = true;
            }
    }
    return filled >= page + PAGE_SIZE;
}

static bool in_ranges(size_t count, u64 page) {
    for (size_t i = 0; i < count; i++)
        if (ranges[i].start <= page && page < ranges[i].end) return true;
    return false;
}

static void check_ranges(const struct e820_entry *map, size_t entries, size_t count) {
    for (size_t i = 0; i < count; i++) {
        CHECK(ranges[i].start < ranges[i].end);
        CHECK(ranges[i].start % PAGE_SIZE == 0 && ranges[i].end % PAGE_SIZE == 0);
        if (i > 0) CHECK(ranges[i - 1].end < ranges[i].start);
    }
    bool same = true;
    for (u64 page = 0; page < MODEL_PAGES; page++)
        same &= model_usable(map, entries, page * PAGE_SIZE) == in_ranges(count, page * PAGE_SIZE);
    CHECK(same);
}

// Exact cover, alignment, order, maximal pages, and the round trip for first, last and a middle
// byte of each run.
static void check_layout(size_t count, bool has_1g) {
    struct linear_map map = {.extents = extents, .room = ARRAY_SIZE(extents)};
    linear_lay_out(&map, ranges, count, has_1g);
    u64 at = LINEAR;
    for (size_t i = 0; i < map.count; i++) {
        const struct extent *run = &extents[i];
        CHECK(run->linear == at && run->bytes > 0 && run->bytes % run->page == 0);
        CHECK(run->linear % run->page == 0 && run->physical.at % run->page == 0);
        CHECK(in_ranges(count, run->physical.at) &&
              in_ranges(count, run->physical.at + run->bytes - PAGE_SIZE));
        if (i > 0) {
            const struct extent *before = &extents[i - 1];
            CHECK(before->page > run->page ||
                  (before->page == run->page &&
                   before->physical.at + before->bytes < run->physical.at));
        }
        u64 probes[3] = {0, run->bytes / 2 + 1, run->bytes - 1};
        for (int p = 0; p < 3; p++) {
            CHECK(linear_to_physical(&map, (laddr){at + probes[p]}).at ==
                  run->physical.at + probes[p]);
            CHECK(physical_to_linear(&map, (paddr){run->physical.at + probes[p]}).at ==
                  at + probes[p]);
        }
        at += run->bytes;
    }
    CHECK(map.end == at && at - LINEAR == ranges_bytes(ranges, count));
    CHECK(linear_to_physical(&map, (laddr){at}).at == UINT64_MAX &&
          linear_to_physical(&map, (laddr){LINEAR - 1}).at == UINT64_MAX);
    // Maximal: the small pages of one range are fewer than two of the next size on either side.
    for (size_t i = 0; i < count; i++) {
        u64 small[2] = {0, 0};
        for (size_t j = 0; j < map.count; j++) {
            u64 start = extents[j].physical.at, end = start + extents[j].bytes;
            if (start < ranges[i].start) start = ranges[i].start;
            if (end > ranges[i].end) end = ranges[i].end;
            if (start < end && extents[j].page != 0x40000000)
                small[extents[j].page == PAGE_SIZE] += end - start;
        }
        CHECK(small[1] < 2 * 0x200000ull);
        if (has_1g) CHECK(small[0] < 2 * 0x40000000ull);
        CHECK(has_1g || extents[0].page != 0x40000000);
    }
}

static void random_maps(void) {
    for (int round = 0; round < 300; round++) {
        struct e820_entry map[MAP_MAX];
        size_t entries = (size_t)rand() % MAP_MAX;
        for (size_t i = 0; i < entries; i++) {
            u64 granule = rand() % 3 ? PAGE_SIZE : 0x123;
            map[i].base = (u64)rand() % MODEL_PAGES * granule;
            map[i].length = (u64)rand() % (MODEL_PAGES / 4) * granule;
            map[i].type = rand() % 4 ? 1 : (u32)rand() % 20;
            if (rand() % 30 == 0) map[i].length = UINT64_MAX - (u64)rand();
        }
        size_t count = e820_ranges(map, entries, E820_USABLE, edges, ranges);
        CHECK(count <= entries);
        count = ranges_subtract(ranges, count, 1ull << 40, E820_TOP);
        check_ranges(map, entries, count);
        struct range before[MAP_MAX];
        memcpy(before, ranges, sizeof(before));
        shuffle(map, entries);
        size_t again = e820_ranges(map, entries, E820_USABLE, edges, ranges);
        CHECK(ranges_subtract(ranges, again, 1ull << 40, E820_TOP) == count);
        CHECK(memcmp(before, ranges, count * sizeof(*ranges)) == 0);

        u64 start = (u64)rand() % (MODEL_PAGES * PAGE_SIZE), end = start + (u64)rand() % 0x400000;
        size_t cut = ranges_subtract(ranges, count, start, end);
        CHECK(cut <= count + 1);
        bool same = true;
        for (u64 page = 0; page < MODEL_PAGES * PAGE_SIZE; page += PAGE_SIZE)
            same &=
                in_ranges(cut, page) == (model_usable(map, entries, page) &&
                                         !(start < end && page + PAGE_SIZE > start && page < end));
        CHECK(same);
        check_layout(cut, true);
        check_layout(cut, false);
    }
}

static void big_maps(void) {
    for (int round = 0; round < 2000; round++) {
        size_t count = 0;
        for (u64 at = (u64)rand() % 64 * PAGE_SIZE; count < 12; count++) {
            at += ((u64)rand() % 0x40000 + 1) * PAGE_SIZE;
            u64 unit = rand() % 2 ? PAGE_1G : PAGE_2M;
            if (rand() % 2) at = ROUND_UP(at, unit);
            ranges[count].start = at;
            at += ((u64)rand() % 0x200000 + 1) * PAGE_SIZE;
            ranges[count].end = at;
            at += PAGE_SIZE;
        }
        check_layout(count, true);
        check_layout(count, false);
    }
}

static void hand_made(void) {
    CHECK(e820_ranges(NULL, 0, E820_USABLE, edges, ranges) == 0);
    // A usable entry that wraps is nonsense; a reserved one takes everything up to the end.
    struct e820_entry wrap[3] = {
        {0x100000, 0x4000000, 1}, {0x200000, UINT64_MAX, 2}, {0x300000, UINT64_MAX, 1}};
    CHECK(e820_ranges(wrap, 3, E820_USABLE, edges, ranges) == 1);
    CHECK(ranges[0].start == 0x100000 && ranges[0].end == 0x200000);
    // One that ends with the last address does not wrap; from 2^61 on nothing counts.
    struct e820_entry full[2] = {{0x100000, -0x100000ull, 1}, {0x300000, -0x300000ull, 2}};
    CHECK(e820_ranges(full, 1, E820_USABLE, edges, ranges) == 1);
    CHECK(ranges[0].start == 0x100000 && ranges[0].end == E820_TOP);
    CHECK(e820_ranges(full, 2, E820_USABLE, edges, ranges) == 1 && ranges[0].end == 0x300000);
    full[0].length++;
    CHECK(e820_wraps(&full[0]) && e820_ranges(full, 1, E820_USABLE, edges, ranges) == 0);
    struct e820_entry far[1] = {{E820_TOP, 0x1000, 1}};
    CHECK(e820_ranges(far, 1, E820_USABLE, edges, ranges) == 0);
    struct e820_entry two[2] = {{0x100000, 0x80800, 1},
                                {0x180800, 0x7f800, 1}}; // they share a page
    CHECK(e820_ranges(two, 2, E820_USABLE, edges, ranges) == 1);
    CHECK(ranges_place(ranges, 1, 0x80000, 0x180000) == 0x180000);
    CHECK(ranges_place(ranges, 1, 0x80001, 0x180000) == 0);

    struct e820_entry holes[3] = {
        {0x100000, 0x1800, 1}, {0x102000, 0x10, 3}, {0x104000, UINT64_MAX, 2}};
    CHECK(e820_covers(holes, 3, 0x100000, 0x103000) && !e820_covers(holes, 3, 0x100000, 0x103001));
    CHECK(e820_covers(holes, 3, 0x100fff, 0x101001) && e820_covers(holes, 3, 0x104fff, 1ull << 46));
    CHECK(!e820_covers(holes, 3, 0xff000, 0x101000) && e820_covers(holes, 3, 0x200000, 0x100000));

    // ACPI data inside a usable entry is ACPI data, less the parts of pages; usable memory ends
    // before those.
    struct e820_entry inside[3] = {
        {0x100000, 0x400000, 1}, {0x200800, 0x2000, 3}, {0x300000, 0x1000, 4}};
    CHECK(e820_ranges(inside, 3, E820_RECLAIMABLE, edges, ranges) == 1);
    CHECK(ranges[0].start == 0x201000 && ranges[0].end == 0x202000);
    CHECK(e820_ranges(inside, 3, E820_USABLE, edges, ranges) == 3);
    CHECK(ranges[0].end == 0x200000 && ranges[1].start == 0x203000 && ranges[1].end == 0x300000);
    inside[2].base = 0x201000; // any other type takes it from both
    CHECK(e820_ranges(inside, 3, E820_RECLAIMABLE, edges, ranges) == 0);

    // The stack: not out of a 1 GiB page when there is any other 2 MiB.
    struct range a[] = {{0x1000, 0x9f000}, {0x100000, 0xbffe0000}, {0x100000000, 0x140000000}};
    CHECK(ranges_place_stack(a, 3, true) == 0xbfc00000);
    struct range b[] = {{0x100000, 0x300000}, {0x40000000, 0x80000000}};
    CHECK(ranges_place_stack(b, 2, true) == 0x7fe00000); // no aligned 2 MiB in the first
    struct range c[] = {{0x100000, 0x400000}, {0x40000000, 0x80000000}};
    CHECK(ranges_place_stack(c, 2, true) == 0x200000);
    CHECK(ranges_place_stack(c, 2, false) == 0x7fe00000);
    struct range d[] = {{0x100000, 0x2ff000}, {0x100000000, 0x140000000}};
    CHECK(ranges_place_stack(d, 2, true) == 0);
}

int main(void) {
    srand(1);
    hand_made();
    random_maps();
    big_maps();
    return check_done("memory");
}
