// The way from any map to linear memory, by the kernel's plan: nothing crashes, ranges are apart
// and ordered, no byte is given out that some entry claims, and every run translates back, also
// those that are appended. The first byte chooses the machine; the rest is entries, then memory
// type registers.
#include <stdlib.h>
#include <string.h>

#include "kernel/memory/e820.c"
#include "kernel/memory/linear.c"
#include "kernel/memory/mtrr.c"
#include "kernel/memory/plan.c"

static void check_ranges(const struct ranges *ranges, const struct machine *m, bool usable) {
    for (size_t i = 0; i < ranges->count; i++) {
        struct range r = ranges->list[i];
        if (r.start >= r.end || (r.start | r.end) % PAGE_SIZE) abort();
        if (i && ranges->list[i - 1].end > r.start) abort();
        for (u32 j = 0; usable && j < m->entries; j++) {
            u64 base = m->map[j].base, last = base + m->map[j].length - 1;
            if (m->map[j].type == 1 || !m->map[j].length) continue;
            if (base < r.end && (last >= r.start || last < base)) abort();
        }
    }
}

static void check_map(const struct linear_map *map) {
    for (size_t i = 0; i < map->count; i++) {
        const struct extent *run = &map->extents[i];
        if ((run->linear | run->physical.at | run->bytes) % run->page) abort();
        if (linear_to_physical(map, (laddr){run->linear}).at != run->physical.at) abort();
        if (physical_to_linear(map, (paddr){run->physical.at + run->bytes - 1}).at !=
            run->linear + run->bytes - 1)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    struct mtrr mtrr = {0};
    u8 mode = size ? data[0] : 0;
    if (mode & 1 && size > sizeof mtrr) {
        size -= sizeof mtrr;
        memcpy(&mtrr, data + size, sizeof mtrr);
        mtrr.on = true, mtrr.has_fixed = mode & 2;
        mtrr.count %= MTRR_VARIABLE + 1;
        mtrr.address_mask = (1ull << 40) - 1;
    }
    struct machine m = {
        .entries = size / E820_ENTRY_SIZE, .has_1g = mode & 4, .address_bits = mode & 8 ? 52 : 40};
    if (m.entries > E820_MAX) m.entries = E820_MAX;
    struct e820_entry *map = malloc(m.entries * sizeof *map + 1);
    if (m.entries) memcpy(map, data, m.entries * sizeof *map);
    m.map = map;
    m.mtrr = mode & 1 ? &mtrr : NULL;
    m.ebda = mode & 16 ? 0x9fc00 : LEGACY_HOLE;
    if (mode & 32)
        m.kernel_low = (struct boot_part){0x100000, 0x20000},
        m.payload = (struct boot_part){0x120000, 0x12345}, m.low = boot_low_of_bios();
    if (mode & 64) // its page is elsewhere, and cuts another range
        m.low.ap_start.start = 0x9e000, m.low.ap_root.start = 0x2000000;
    void *scratch = malloc(PLAN_SCRATCH(m.entries));
    struct plan plan = {.reserved = malloc(PLAN_RESERVATIONS(m.entries) * sizeof *plan.reserved)};
    struct reservation *reserved = plan.reserved;

    bool placed = plan_make(&m, &plan, scratch);
    check_ranges(&plan.usable, &m, true);
    check_ranges(&plan.left, &m, true);
    check_ranges(&plan.back, &m, false);
    if (plan.reserved_count > PLAN_RESERVATIONS(m.entries)) abort();
    if (placed && m.kernel_low.length) {
        struct linear_map linear = {malloc(plan.extents_room * sizeof(struct extent)),
                                    .room = plan.extents_room};
        linear_lay_out(&linear, plan.left.list, plan.left.count, m.has_1g);
        if (linear.end - LINEAR != ranges_bytes(plan.left.list, plan.left.count)) abort();
        for (size_t i = 0; i < plan.back.count; i++)
            if (!linear_append(&linear, plan.back.list[i].start, plan.back.list[i].end)) abort();
        check_map(&linear);
        free(linear.extents);
    }
    free(map);
    free(scratch);
    free(reserved);
    return 0;
}
