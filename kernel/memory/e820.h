// From the map the BIOS gave to the ranges of memory that can be used. Pure: plain data in, plain data out.
#pragma once

#include "boot/bootinfo.h"

struct range {
    u64 start, end; // end is the first byte behind
};

// Scratch for e820_usable: two edges for each entry.
struct range_edge {
    u64 at;
    u32 usable; // this edge belongs to a usable entry
    u32 opens;
};

// Writes the usable ranges below limit to out, sorted, apart from each other and page-aligned; returns their number,
// at most count. Type 1 is usable and rounded inward to pages, every other type is not and rounded outward; where
// entries overlap, usable loses. Entries of length 0 are ignored; a usable one that wraps is too, any other that wraps
// reaches to the end. The order of the entries makes no difference. edges: room for 2 * count.
size_t e820_usable(const struct e820_entry *map, size_t count, u64 limit, struct range_edge *edges, struct range *out);

// Takes [start, end), rounded outward to pages, out of the ranges; returns their new number, at most count + 1.
size_t ranges_subtract(struct range *ranges, size_t count, u64 start, u64 end);

u64 ranges_bytes(const struct range *ranges, size_t count);

// The lowest page of a free piece of length bytes at or above from; 0 when there is none.
u64 ranges_place(const struct range *ranges, size_t count, u64 length, u64 from);

// Where the boot CPU's first stack of 2 MiB goes: the highest aligned 2 MiB below 4 GiB that lie in no 1 GiB page, else
// the highest at all below 4 GiB; 0 when there is none. has_1g: the CPU has 1 GiB pages.
u64 ranges_place_stack(const struct range *ranges, size_t count, bool has_1g);
