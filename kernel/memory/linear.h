// Linear memory: every free byte as one span without holes at LINEAR, largest pages first. Pure.
//
//   physical  |4K..|2M....|1G.......|1G.......|2M..|4K|   hole   |1G.......|2M|
//   linear    |1G.......|1G.......|1G.......|2M....|2M..|2M|4K..|4K|
//              ^ LINEAR, always aligned for the page size of the run
//
// Because each size starts aligned and the sizes shrink, every page lands on an address aligned for
// it.
#pragma once

#include "kernel/lib/address.h"
#include "kernel/memory/e820.h"

struct extent { // pages of one size, consecutive in both address spaces
    u64 linear;
    paddr physical;
    u64 bytes;
    u32 page; // size of one page: 1 GiB, 2 MiB or 4 KiB
    // In entry n of the table: the index of the extent that is n-th in physical order.
    u32 by_physical;
};

struct linear_map {
    struct extent *extents; // in linear order
    size_t count, room;
    // Index of the first extent of 1 GiB, 2 MiB and 4 KiB pages, and of what was appended.
    size_t first[4];
    u64 end; // linear address behind the last page
};

#define EXTENTS_PER_RANGE 5 // 4K head, 2M head, 1G, 2M tail, 4K tail

// Lays out the ranges. map->extents has room for map->room, at least EXTENTS_PER_RANGE * count.
void linear_lay_out(struct linear_map *map, const struct range *ranges, size_t count, bool has_1g);

// Appends physical [start, end), which nothing in the map overlaps, in 4 KiB pages. False: no room
// for another extent.
bool linear_append(struct linear_map *map, u64 start, u64 end) MUST_USE;

// The address where pages of 1 GiB (size 0), 2 MiB (1) or 4 KiB (2) begin, or would.
laddr linear_start(const struct linear_map *map, size_t size);

// How many page tables linear memory takes below its PML4 entries.
u64 linear_tables(const struct linear_map *map);

// Both ways, by one binary search; UINT64_MAX for an address that is not linear memory.
paddr linear_to_physical(const struct linear_map *map, laddr linear);
laddr physical_to_linear(const struct linear_map *map, paddr physical);
