// The way from any map to linear memory: nothing crashes, ranges are apart and ordered, and every run translates back.
#include <stdlib.h>
#include <string.h>

#include "kernel/memory/e820.c"
#include "kernel/memory/linear.c"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    size_t entries = size / E820_ENTRY_SIZE;
    if (entries > E820_MAX) entries = E820_MAX;
    struct e820_entry *map = malloc(entries * sizeof(*map) + 1);
    struct range_edge *edges = malloc((2 * entries + 1) * sizeof(*edges));
    struct range *ranges = malloc((entries + 2) * sizeof(*ranges));
    struct extent *extents = malloc(EXTENTS_PER_RANGE * (entries + 2) * sizeof(*extents));
    if (entries) memcpy(map, data, entries * sizeof(*map));

    size_t count = e820_usable(map, entries, 1ull << 46, edges, ranges);
    if (count > entries) abort();
    u64 cut = size > 8 ? (u64)data[0] << 20 : 0;
    count = ranges_subtract(ranges, count, cut, cut + 0x123456);
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].start >= ranges[i].end || (ranges[i].start | ranges[i].end) % PAGE_SIZE) abort();
        if (i && ranges[i - 1].end >= ranges[i].start) abort();
    }
    struct linear_map linear = {.extents = extents};
    linear_lay_out(&linear, ranges, count, size % 2);
    if (linear.end - LINEAR != ranges_bytes(ranges, count)) abort();
    for (size_t i = 0; i < linear.count; i++) {
        const struct extent *run = &extents[i];
        if ((run->linear | run->physical | run->bytes) % run->page) abort();
        if (linear_to_physical(&linear, run->linear) != run->physical) abort();
        if (physical_to_linear(&linear, run->physical + run->bytes - 1) != run->linear + run->bytes - 1) abort();
    }
    ranges_place_stack(ranges, count, size % 2);
    free(map);
    free(edges);
    free(ranges);
    free(extents);
    return 0;
}
