// From a memory map to linear memory: every map of test/maps, and millions made at random from
// their mistakes, each against a definition of its own: the line of addresses is cut wherever
// anything begins or ends, and each piece is looked up entry by entry. No code is shared with what
// is tested but the types.
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "test/check.h"
#include "kernel/memory/e820.c"
#include "kernel/memory/linear.c"
#include "kernel/memory/mtrr.c"
#include "kernel/memory/plan.c"

#define MAPS 2000000 // random ones

static u8 scratch[PLAN_SCRATCH(E820_MAX)] __attribute__((aligned(8)));
static struct reservation reserved[PLAN_RESERVATIONS(E820_MAX)];
static struct extent extents[EXTENTS_PER_RANGE * PLAN_RANGES(E820_MAX)];
static struct range before[PLAN_RANGES(E820_MAX)];
static const u64 sizes[] = {1ull << 30, 1 << 21, 1 << 12};
static u64 seed = 88172645463325252ull;

static size_t most_runs;

static u64 random_number(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

// ---- the definition ----

// Is all of [start, end), which no entry begins or ends in, called usable and nothing else?
static bool is_usable(const struct machine *m, u64 start, u64 end) {
    bool usable = false;
    for (u32 i = 0; i < m->entries; i++) {
        u64 base = m->map[i].base, last = base + m->map[i].length - 1;
        if (!m->map[i].length) continue;
        if (m->map[i].type == 1) {
            if (last >= base && base <= start && last >= end - 1) usable = true;
            continue;
        }
        if (last < base) last = UINT64_MAX;
        if ((base & -4096ull) < end && (last | 4095) >= start) return false;
    }
    return usable;
}

static int by_value(const void *a, const void *b) {
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    return x < y ? -1 : x > y;
}

static u64 cuts[4 * E820_MAX + 4];

// All page borders at which usability could change, and for pages that entries meet in, both of
// their borders.
static size_t find_cuts(const struct machine *m) {
    size_t count = 0, kept = 0;
    cuts[count++] = 0;
    cuts[count++] = E820_TOP;
    for (u32 i = 0; i < m->entries; i++) {
        u64 base = m->map[i].base, end = base + m->map[i].length;
        u64 all[4] = {base & -4096ull, (base + 4095) & -4096ull, end & -4096ull,
                      (end + 4095) & -4096ull};
        for (int j = 0; j < 4; j++)
            if (all[j] < E820_TOP) cuts[count++] = all[j];
    }
    qsort(cuts, count, sizeof *cuts, by_value);
    for (size_t i = 0; i < count; i++)
        if (!kept || cuts[kept - 1] != cuts[i]) cuts[kept++] = cuts[i];
    return kept;
}

// One page that entries meet in the middle of: byte by byte at the places where they do.
static bool is_page_usable(const struct machine *m, u64 page) {
    for (u64 at = page; at < page + 4096;) {
        u64 next = page + 4096;
        for (u32 i = 0; i < m->entries; i++) {
            u64 base = m->map[i].base, end = base + m->map[i].length;
            if (base > at && base < next) next = base;
            if (end > at && end < next) next = end;
        }
        if (!is_usable(m, at, next)) return false;
        at = next;
    }
    return true;
}

static struct range model[4 * E820_MAX + 4];

static size_t find_usable(const struct machine *m) {
    size_t pieces = find_cuts(m), count = 0;
    for (size_t i = 0; i + 1 < pieces; i++) {
        u64 start = cuts[i], end = cuts[i + 1];
        if (!(end - start == 4096 ? is_page_usable(m, start) : is_usable(m, start, end))) continue;
        if (count && model[count - 1].end == start)
            model[count - 1].end = end;
        else
            model[count++] = (struct range){start, end};
    }
    return count;
}

// ---- what must hold ----

static int by_physical(const void *a, const void *b) {
    u64 x = ((const struct range *)a)->start, y = ((const struct range *)b)->start;
    return x < y ? -1 : x > y;
}

// Runs and reservations together are what is usable, no byte twice, none missing, no other touched.
static void check_cover(const struct machine *m, const struct plan *plan,
                        const struct linear_map *map) {
    static struct range
        all[3 * PLAN_RESERVATIONS(E820_MAX) + EXTENTS_PER_RANGE * PLAN_RANGES(E820_MAX)];
    size_t count = 0, usable = find_usable(m), joined = 0;
    for (size_t i = 0; i < map->count; i++)
        all[count++] =
            (struct range){extents[i].physical.at, extents[i].physical.at + extents[i].bytes};
    for (size_t i = 0; i < plan->reserved_count; i++)
        all[count++] = (struct range){reserved[i].start, reserved[i].end};
    qsort(all, count, sizeof *all, by_physical);
    for (size_t i = 0; i < count; i++) {
        if (joined && all[joined - 1].end > all[i].start) CHECK(!"apart");
        if (joined && all[joined - 1].end == all[i].start)
            all[joined - 1].end = all[i].end;
        else
            all[joined++] = all[i];
    }
    CHECK(joined == usable && !memcmp(all, model, usable * sizeof *model));
}

static void check_round_trip(const struct linear_map *map, const struct extent *run, u64 offset) {
    CHECK(linear_to_physical(map, (laddr){run->linear + offset}).at == run->physical.at + offset);
    CHECK(physical_to_linear(map, (paddr){run->physical.at + offset}).at == run->linear + offset);
}

// Largest pages first, each size by address, no holes, every page aligned in both worlds, and no
// larger page could be made of what a run of smaller ones covers.
static void check_layout(const struct plan *plan, const struct linear_map *map, bool has_1g) {
    u64 at = LINEAR, tables = 0;
    for (size_t i = 0; i < map->count; i++) {
        const struct extent *run = &extents[i], *last = i ? run - 1 : NULL;
        bool ok = run->linear == at && run->bytes && run->bytes % run->page == 0 &&
                  run->linear % run->page == 0;
        ok &= run->physical.at % run->page == 0 && (run->page == sizes[0] ? has_1g : true);
        ok &= !last || last->page > run->page ||
              (last->page == run->page && last->physical.at + last->bytes < run->physical.at);
        CHECK(ok);
        check_round_trip(map, run, 0);
        check_round_trip(map, run, run->bytes - 1);
        check_round_trip(map, run, random_number() % run->bytes);
        at += run->bytes;
    }
    CHECK(map->end == at && linear_to_physical(map, (laddr){at}).at == UINT64_MAX);
    CHECK(linear_to_physical(map, (laddr){LINEAR - 1}).at == UINT64_MAX &&
          physical_to_linear(map, (paddr){0xa0000}).at == UINT64_MAX);
    for (size_t i = 0; i < plan->left.count; i++) {
        struct range r = plan->left.list[i];
        for (int size = has_1g ? 0 : 1; size < 2; size++) {
            u64 first = ROUND_UP(r.start, sizes[size]), end = ROUND_DOWN(r.end, sizes[size]);
            for (int j = 0; first < end && j < 2;
                 j++) { // the first and the last page that could be one
                u64 where = physical_to_linear(map, (paddr){j ? end - 1 : first}).at;
                size_t k = 0;
                while (k + 1 < map->count && extents[k + 1].linear <= where) k++;
                CHECK(extents[k].page >= sizes[size]);
            }
        }
    }
    // The budget, counted by what a walk would find: a table for each distinct upper part of an
    // address.
    for (int level = 0; level < 3 && map->count; level++) {
        u64 reach = sizes[level] << 9, done = 0;
        for (size_t i = 0; i < map->count; i++) {
            if (extents[i].page > sizes[level]) continue;
            u64 first = extents[i].linear / reach,
                last = (extents[i].linear + extents[i].bytes - 1) / reach;
            tables += last - first + (done != first + 1);
            done = last + 1;
        }
    }
    CHECK(linear_tables(map) == tables);
}

static void shuffle(struct e820_entry *map, u32 count) {
    for (u32 i = count; i > 1; i--) {
        u32 j = (u32)(random_number() % i);
        struct e820_entry swap = map[i - 1];
        map[i - 1] = map[j];
        map[j] = swap;
    }
}

// Nothing of what is at or above the limit is used, and what that costs is counted.
static void check_limit(const struct machine *m, const struct plan *plan, bool placed) {
    const struct ranges *all[] = {&plan->usable, &plan->left, &plan->back};
    u64 beyond = 0, limit = m->limit ? m->limit : UINT64_MAX;
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        for (size_t j = 0; j < all[i]->count; j++) CHECK(all[i]->list[j].end <= limit);
    for (size_t i = 0; i < plan->reserved_count; i++)
        if (!strcmp(reserved[i].why, "beyond mem=")) beyond += reserved[i].end - reserved[i].start;
    CHECK(plan->beyond_limit == beyond && (m->limit || !beyond));
    if (!m->kernel_low.length) return;
    u64 image_end = (m->payload.start + m->payload.length + 4095) & -4096ull;
    if (limit < image_end)
        CHECK(!placed && !plan->kernel_bytes);
    else
        CHECK(plan->kernel_bytes && (!placed || plan->kernel.at + plan->kernel_bytes <= limit));
}

// Plans the machine; *plan and *map point into the static tables. Reservations lie in what they are
// there for.
static void try_machine(struct machine *m) {
    struct plan plan = {.reserved = reserved};
    struct linear_map map = {.extents = extents, .room = ARRAY_SIZE(extents)};
    bool placed = plan_make(m, &plan, scratch);
    linear_lay_out(&map, plan.left.list, plan.left.count, m->has_1g);
    check_cover(m, &plan, &map);
    check_layout(&plan, &map, m->has_1g);
    if (m->kernel_low.length && placed) {
        CHECK(plan.kernel.at >= HIGH_MEMORY && plan.kernel.at + plan.kernel_bytes <= IDENTITY_END);
        CHECK(plan.extents_room >= map.count + plan.back.count);
        CHECK(plan.map_copy.at + m->entries * sizeof *m->map <= plan.kernel.at + plan.kernel_bytes);
        CHECK(plan.stack.at % sizes[1] == 0 && plan.stack.at < IDENTITY_END);
        CHECK(!plan.left.count ||
              plan.left.list[0].start >= 0x10000); // BIOSes write below, whoever runs
        CHECK(!plan.back.count || plan.back.list[0].start >= 0x10000);
    }
    check_limit(m, &plan, placed);
    for (size_t i = 1; i < plan.back.count; i++)
        CHECK(plan.back.list[i - 1].end <= plan.back.list[i].start);
    for (size_t i = 0; i < plan.back.count; i++)
        for (size_t j = 0; j < plan.left.count; j++)
            if (plan.back.list[i].start < plan.left.list[j].end &&
                plan.left.list[j].start < plan.back.list[i].end)
                CHECK(!"what comes back is in linear memory");
    // What comes back joins at the end and is found again.
    size_t runs = map.count;
    bool up = random_number() & 1; // in either order
    for (size_t n = plan.back.count, i = 0; i < n; i++) {
        struct range r = plan.back.list[up ? i : n - 1 - i];
        CHECK(linear_append(&map, r.start, r.end));
    }
    if (map.count > most_runs) most_runs = map.count;
    for (size_t i = runs; i < map.count; i++)
        check_round_trip(&map, &extents[i], extents[i].bytes - 1);
    if (runs) check_round_trip(&map, &extents[0], 0);
}

// One range at a time, without working memory, gives the same as all at once.
static void try_usable_until(const struct machine *m) {
    struct range *ranges = (struct range *)scratch;
    u64 *edges = (u64 *)(ranges + E820_MAX);
    size_t count = e820_ranges(m->map, m->entries, E820_USABLE, edges, ranges);
    for (size_t i = 0; i < count; i++) {
        u64 last = ranges[i].end - PAGE_SIZE, middle = ranges[i].start / 2 + last / 2;
        CHECK(e820_usable_until(m->map, m->entries, ranges[i].start) == ranges[i].end);
        CHECK(e820_usable_until(m->map, m->entries, middle & -4096ull) == ranges[i].end);
        CHECK(e820_usable_until(m->map, m->entries, last) == ranges[i].end);
        CHECK(e820_usable_until(m->map, m->entries, ranges[i].end) == ranges[i].end);
        if (!ranges[i].start || (i && ranges[i - 1].end == ranges[i].start - PAGE_SIZE)) continue;
        u64 before_it = ranges[i].start - PAGE_SIZE;
        CHECK(e820_usable_until(m->map, m->entries, before_it) == before_it);
    }
}

// The pages of other CPUs and the loader's memory may lie anywhere, apart, or be missing: nobody
// gets the former, and the latter comes back.
static void try_low_elsewhere(struct machine *m) {
    struct plan plan = {.reserved = reserved};
    struct boot_low *low = &m->low;
    low->ap_start = (struct boot_part){0x9e000, random_number() & 1 ? 0x1000 : 0};
    low->ap_root = (struct boot_part){0x1003000, 0x1000};
    low->firmware = (struct boot_part){0};
    low->loader = (struct boot_part){0xff0000, 0x12000};
    if (!plan_make(m, &plan, scratch)) return;
    for (size_t i = 0; i < plan.left.count; i++) {
        u64 start = plan.left.list[i].start, end = plan.left.list[i].end;
        CHECK(end <= 0x9e000 || start >= 0x9f000 || !low->ap_start.length);
        CHECK(end <= 0x1003000 || start >= 0x1004000);
        CHECK(end <= 0xff0000 || start >= 0x1002000);
    }
    u64 back = 0, usable = 0;
    for (size_t i = 0; i < plan.back.count; i++)
        if (plan.back.list[i].start >= 0xff0000 && plan.back.list[i].end <= 0x1002000)
            back += plan.back.list[i].end - plan.back.list[i].start;
    for (size_t i = 0; i < plan.usable.count; i++) {
        u64 start = MAX(plan.usable.list[i].start, 0xff0000ull);
        u64 end = MIN(plan.usable.list[i].end, 0x1002000ull);
        if (start < end) usable += end - start;
    }
    CHECK(back == usable);
}

static void try_shuffled(struct machine *m, struct e820_entry *entries) {
    struct plan plan = {0};
    bool placed = plan_make(m, &plan, scratch);
    size_t left = plan.left.count;
    memcpy(before, plan.left.list, left * sizeof *before);
    shuffle(entries, m->entries);
    plan.reserved = NULL;
    CHECK(plan_make(m, &plan, scratch) == placed);
    CHECK(plan.left.count == left && !memcmp(before, plan.left.list, left * sizeof *before));
}

// ---- maps from files ----

static u32 read_map(const char *name, struct e820_entry *entries) {
    char line[256];
    u32 count = 0;
    FILE *file = fopen(name, "r");
    while (file && fgets(line, sizeof line, file)) {
        unsigned long long base, length;
        unsigned type;
        if (sscanf(line, "%llx %llx %x", &base, &length, &type) == 3)
            entries[count++] = (struct e820_entry){base, length, type};
    }
    CHECK(file && !fclose(file) && count);
    return count;
}

static void files(const char *pattern, size_t at_least) {
    glob_t found;
    CHECK(!glob(pattern, 0, NULL, &found) && found.gl_pathc >= at_least);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        static struct e820_entry entries[E820_MAX];
        struct machine m = {entries, read_map(found.gl_pathv[i], entries), .address_bits = 52,
                            .ebda = LEGACY_HOLE, .low = boot_low_of_bios()};
        for (int mode = 0; mode < 4; mode++) {
            int failed = checks_failed;
            m.has_1g = mode & 1;
            m.kernel_low = (struct boot_part){0x100000, mode & 2 ? 0x1f000 : 0};
            m.payload = (struct boot_part){0x11f000, mode & 2 ? 0x21234 : 0};
            try_machine(&m);
            try_shuffled(&m, entries);
            try_machine(&m);
            if (checks_failed > failed)
                fprintf(stderr, "the map was %s, mode %d\n", found.gl_pathv[i], mode);
        }
    }
    globfree(&found);
}

// ---- random maps ----

static u64 random_address(void) {
    static const u64 near[] = {0,          0x9f000,    0x100000,    0x200000,
                               0x40000000, 0x80000000, 0x100000000, 1ull << 40};
    u64 r = random_number(), odd = r >> 60 ? 0 : (r >> 8) % 4096;
    return near[r % 8] + ((r >> 24) % 8 << (r % 3 == 0 ? 30 : r % 3 == 1 ? 21 : 12)) + odd;
}

static void random_maps(void) {
    for (int round = 0; round < MAPS; round++) {
        struct e820_entry entries[12];
        struct machine m = {entries, (u32)(random_number() % 12),
                            .address_bits = 36 + (unsigned)(random_number() % 17),
                            .low = boot_low_of_bios()};
        for (u32 i = 0; i < m.entries; i++) {
            u64 a = random_address(), b = random_address(), r = random_number();
            entries[i] = (struct e820_entry){a < b ? a : b, a < b ? b - a : a - b,
                                             r % 8 < 5 ? 1 : (u32)(r >> 8) % 8};
            if (r >> 56 == 1) entries[i].length = -entries[i].base + (r >> 20) % 3 - 1;
            if (r >> 56 == 2 && i) entries[i] = entries[i - 1];
            if (r >> 56 == 3) entries[i].base = UINT64_MAX - (r & 0xffff);
        }
        m.has_1g = random_number() & 1;
        m.ebda = random_number() & 1 ? LEGACY_HOLE : 0x9fc00;
        if (random_number() & 1) m.kernel_low = (struct boot_part){0x100000, 0x20000};
        if (m.kernel_low.length)
            m.payload = (struct boot_part){0x120000, random_number() % 0x300000};
        if (random_number() % 4 == 0) m.limit = random_address() + 1;
        try_machine(&m);
        if (round % 4 == 0) try_shuffled(&m, entries);
        if (round % 4 == 1) try_usable_until(&m);
        if (round % 4 == 2 && m.kernel_low.length) try_low_elsewhere(&m);
    }
}

// The kernel's place: behind the image, else the lowest above 1 MiB, never above 4 GiB.
static void kernel_place(void) {
    struct e820_entry entries[] = {
        {0, 0xa0000, 1}, {0x100000, 0x20000, 1}, {0x300000, 0x3c000, 1}, {1ull << 32, 1 << 30, 1}};
    struct machine m = {entries,
                        4,
                        .address_bits = 40,
                        .ebda = LEGACY_HOLE,
                        .kernel_low = {0x300000, 0x10000},
                        .low = boot_low_of_bios()};
    struct plan plan = {0};
    m.payload = (struct boot_part){0x310000, 0x2c000};
    CHECK(plan_make(&m, &plan, scratch) && plan.kernel.at == 0x100000);
    m.payload.length = 0x4000;
    CHECK(plan_make(&m, &plan, scratch) && plan.kernel.at == 0x314000);
    entries[1].type = 2;
    m.payload.length = 0x2c000;
    CHECK(!plan_make(&m, &plan, scratch));
    try_machine(&m);
}

// A limit in the middle of a map, at the image's end, and where the kernel no longer fits.
static void limits(void) {
    struct e820_entry entries[] = {
        {0, 0xa0000, 1}, {0x100000, 0xff00000, 1}, {1ull << 32, 1 << 30, 1}, {1ull << 33, 4096, 3}};
    struct machine m = {entries,
                        4,
                        .address_bits = 40,
                        .ebda = LEGACY_HOLE,
                        .kernel_low = {0x100000, 0x10000},
                        .low = boot_low_of_bios()};
    struct plan plan = {0};
    m.payload = (struct boot_part){0x110000, 0x2345};
    CHECK(plan_make(&m, &plan, scratch) && plan.beyond_limit == 0 &&
          plan.back.list[plan.back.count - 1].start == 1ull << 33);
    m.limit = 0x4000fff; // in a page
    CHECK(plan_make(&m, &plan, scratch) && plan.beyond_limit == 0xc000000 + (1 << 30));
    CHECK(plan.usable.count == 2 && plan.usable.list[1].end == 0x4000000);
    CHECK(plan.back.list[plan.back.count - 1].end < 0x4000000);
    m.limit = 1ull << 40;
    CHECK(plan_make(&m, &plan, scratch) && plan.beyond_limit == 0);
    m.limit = 0x112fff;
    CHECK(!plan_make(&m, &plan, scratch) && plan.kernel_bytes == 0);
    m.limit = 0x113000;
    CHECK(!plan_make(&m, &plan, scratch) && plan.kernel_bytes > 0x10000);
    m.limit = 0x113000 + plan.kernel_bytes;
    CHECK(plan_make(&m, &plan, scratch) && plan.kernel.at == 0x113000);
    m.limit = 1;
    m.kernel_low.length = 0; // nothing boots: no image that could lie beyond
    CHECK(plan_make(&m, &plan, scratch) && plan.left.count == 0);
}

// ---- memory types ----

static struct mtrr mtrr;

// The manuals' rules at one address (SDM 3A 12.11.4.1), undefined mixtures counted as uncached.
static bool is_write_back(u64 at) {
    bool any = false, other = false;
    if (mtrr.has_fixed && at < 0x80000) return (mtrr.fixed[0] >> at / 0x10000 * 8 & 0xff) == 6;
    if (mtrr.has_fixed && at < 0xa0000)
        return (mtrr.fixed[1] >> (at - 0x80000) / 0x4000 * 8 & 0xff) == 6;
    if (mtrr.has_fixed && at < 0x100000) return false;
    if (at >= 1ull << 32 && at < mtrr.top) return true;
    for (int i = 0; i < mtrr.count; i++) {
        u64 mask = mtrr.variable[i].mask & mtrr.address_mask & ~0xfffull;
        if ((at & mask) != (mtrr.variable[i].base & mask)) continue;
        if ((mtrr.variable[i].base & 0xff) == 6)
            any = true;
        else
            other = true;
    }
    return !other && (any || mtrr.default_type == 6);
}

static size_t plan_types(struct machine *m, struct plan *plan) {
    m->mtrr = &mtrr;
    plan->reserved = reserved;
    CHECK(plan_make(m, plan, scratch));
    return plan->usable.count;
}

static void random_types(void) {
    struct e820_entry ram[] = {
        {0, 0x9fc00, 1}, {0x100000, 0xbff00000, 1}, {1ull << 32, 3ull << 30, 1}};
    struct machine m = {ram, 3, .has_1g = true, .address_bits = 40, .ebda = LEGACY_HOLE};
    static const u8 types[] = {0, 1, 4, 5, 6, 6, 6, 6};
    for (int round = 0; round < 100000; round++) {
        bool holes = false;
        mtrr = (struct mtrr){.on = true,
                             .address_mask = (1ull << 40) - 1,
                             .default_type = types[random_number() % 8]};
        mtrr.has_fixed = random_number() & 1;
        mtrr.fixed[0] = 0x0606060606060606;
        mtrr.fixed[1] = 0x0006060606060606;
        mtrr.count = (u8)(1 + random_number() % 8);
        if (random_number() % 4 == 0) mtrr.top = (4 + random_number() % 4) << 30;
        for (int i = 0; i < mtrr.count; i++) {
            u64 size = 1ull << (12 + random_number() % 22), mask = ((1ull << 40) - 1) & -size;
            if (random_number() % 16 == 0)
                mask &= ~(1ull << (21 + random_number() % 12)), holes = true;
            u64 base = random_number() % (8ull << 30) & mask;
            mtrr.variable[i].base = base | types[random_number() % 8];
            mtrr.variable[i].mask = mask | 1 << 11;
        }
        struct plan plan;
        plan_types(&m, &plan);
        bool sound = true, complete = true;
        for (int probe = 0; probe < 60; probe++) {
            u64 at = random_number() % (7ull << 30) & -4096ull;
            if (probe < mtrr.count)
                at = ((mtrr.variable[probe].base & -4096ull) - (random_number() & 4096)) &
                     mtrr.address_mask;
            bool usable = false, is_ram = false;
            for (size_t i = 0; i < plan.usable.count; i++)
                usable |= plan.usable.list[i].start <= at && at < plan.usable.list[i].end;
            for (int i = 0; i < 3; i++)
                is_ram |= ram[i].base <= at && at + 4096 <= ram[i].base + ram[i].length;
            if (usable && !(is_ram && is_write_back(at))) sound = false;
            if (!usable && is_ram && is_write_back(at)) complete = false;
        }
        CHECK(sound);
        CHECK(complete || holes); // masks with holes may cost memory
    }
}

static void known_types(void) {
    struct e820_entry ram[] = {{0x100000, 0xbff00000, 1}, {1ull << 32, 1ull << 32, 1}};
    struct machine m = {ram, 2, .has_1g = true, .address_bits = 40, .ebda = LEGACY_HOLE};
    struct plan plan;
    mtrr = (struct mtrr){.address_mask = (1ull << 40) - 1,
                         .default_type = 0}; // off, then blank: all memory counts
    CHECK(plan_types(&m, &plan) == 2 && plan.not_write_back == 0);
    mtrr.on = true;
    CHECK(plan_types(&m, &plan) == 2 && plan.not_write_back == 0);
    // A firmware that forgot the last GiB: one range of 4 GiB write-back and one of 2 GiB, minus
    // the devices' hole.
    mtrr.count = 3;
    mtrr.variable[0].base = 6, mtrr.variable[0].mask = 0xff00000800;
    mtrr.variable[1].base = 0x100000006, mtrr.variable[1].mask = 0xff80000800;
    mtrr.variable[2].base = 0xc0000000, mtrr.variable[2].mask = 0xffc0000800;
    CHECK(plan_types(&m, &plan) == 2 && plan.not_write_back == 2ull << 30 &&
          plan.usable.list[1].end == 6ull << 30);
    mtrr.top = 8ull << 30; // AMD: all of it is
    CHECK(plan_types(&m, &plan) == 2 && plan.not_write_back == 0);
    // 4 KiB write-through in the middle of a GiB: that GiB in smaller pages, the others whole.
    mtrr.top = 0, mtrr.default_type = 6, mtrr.count = 1;
    mtrr.variable[0].base = 0x140200004, mtrr.variable[0].mask = 0xfffffff800;
    CHECK(plan_types(&m, &plan) == 3 && plan.not_write_back == 4096);
    struct linear_map map = {.extents = extents, .room = ARRAY_SIZE(extents)};
    linear_lay_out(&map, plan.left.list, plan.left.count, true);
    CHECK(extents[1].physical.at == 1ull << 32 && extents[1].bytes == 1ull << 30);
    CHECK(extents[2].physical.at == 6ull << 30 || extents[2].physical.at == 0x180000000);
    CHECK(physical_to_linear(&map, (paddr){0x140200000}).at == UINT64_MAX &&
          physical_to_linear(&map, (paddr){0x140201000}).at != UINT64_MAX);
    // Masks for 36 bits on this CPU of 40, of either type: as if they were whole.
    mtrr.count = 3, mtrr.default_type = 0;
    mtrr.variable[0].base = 6, mtrr.variable[0].mask = 0xf00000800;
    mtrr.variable[1].base = 0x100000006, mtrr.variable[1].mask = 0xf00000800;
    mtrr.variable[2].base = 0xc0000000, mtrr.variable[2].mask = 0xfc0000800;
    CHECK(plan_types(&m, &plan) == 2 && plan.not_write_back == 0 &&
          plan.usable.list[1].end == 8ull << 30);
    mtrr.default_type = 6, mtrr.variable[2].base = 0x140000001;
    CHECK(plan_types(&m, &plan) == 3 && plan.not_write_back == 1 << 30);
    mtrr.default_type = 0,
    mtrr.variable[1].mask = 0xd00000800; // a hole: the first of the ranges it matches
    CHECK(plan_types(&m, &plan) == 3 && plan.not_write_back == 1 << 30);
    mtrr.default_type = 6,
    mtrr.variable[2].mask = 0xdc0000800; // a hole: all between the first and the last
    CHECK(plan_types(&m, &plan) == 2 && plan.not_write_back == 3ull << 30);
    mtrr.count = 1, mtrr.variable[0].base = 4;
    // Everything write-through: nothing is left.
    mtrr.default_type = 4;
    CHECK(plan_types(&m, &plan) == 0 && plan.not_write_back == 0xbff00000 + (4ull << 30));
}

static void as_many_as_fit(void) {
    static struct e820_entry entries[E820_MAX];
    struct machine m = {entries, .address_bits = 52};
    // As many as there is room for, each as bad as can be: single pages, in the worst order.
    for (u32 i = 0; i < E820_MAX; i++)
        entries[E820_MAX - 1 - i] = (struct e820_entry){0x2000ull * (i + 256), 0x1000, 1};
    m.entries = E820_MAX;
    m.ebda = LEGACY_HOLE;
    try_machine(&m);
}

int main(void) {
    files("test/maps/real/*.e820", 286);
    CHECK(most_runs < 1 << 7); // so that a translation takes at most 7 steps
    files("test/maps/hostile/*.e820", 8);
    kernel_place();
    limits();
    known_types();
    random_types();
    as_many_as_fit();
    random_maps();
    return check_done("plan");
}
