// From the map the BIOS gave to the ranges of memory that can be used. Pure: plain data in, plain
// data out. All addresses are physical ones, as plain numbers like those of the map.
#pragma once

#include "boot/bootinfo.h"

#define PAGE_2M 0x200000ull // the larger pages, beside PAGE_SIZE
#define PAGE_1G 0x40000000ull

#define E820_USABLE       1
#define E820_RECLAIMABLE  3            // ACPI tables: ours once they are read (ACPI 6.4 table 15.5)
#define E820_TOP          (1ull << 61) // nothing is believed at or above: x86-64 ends at 2^52
#define E820_EDGES(count) (2 * (count))

struct range {
    u64 start, end; // end is the first byte behind
};

// Writes the ranges of one type to out, below E820_TOP, sorted, apart from each other and
// page-aligned; returns their number, at most count. Entries of this type are joined and then
// rounded inward to pages, all others are rounded outward; where they overlap, the others win, but
// that usable ones take nothing from any type. Entries of length 0 are ignored; one of this type
// that wraps is too, any other that wraps reaches to the end. What lies at or above E820_TOP is cut
// off. The order of the entries makes no difference. edges: E820_EDGES(count) of them.
size_t e820_ranges(const struct e820_entry *map, size_t count, u32 type, u64 *edges,
                   struct range *out);

// True when the entry has a byte beyond the last address; one that ends with the last does not
// wrap.
bool e820_wraps(const struct e820_entry *entry);

// True when every page of [start, end) is touched by some entry: what is not is a hole, where
// devices may be.
bool e820_covers(const struct e820_entry *map, size_t count, u64 start, u64 end);

// Up to where memory from this page on is usable without a hole; the page itself when it is not. As
// e820_ranges() has it, but without memory to work in, and for maps of a few entries.
u64 e820_usable_until(const struct e820_entry *map, size_t count, u64 page);

// Takes [start, end), rounded outward to pages, out of the ranges; returns their new number, at
// most count + 1.
size_t ranges_subtract(struct range *ranges, size_t count, u64 start, u64 end);

u64 ranges_bytes(const struct range *ranges, size_t count);

// The lowest page of a free piece of length bytes at or above from; 0 when there is none.
u64 ranges_place(const struct range *ranges, size_t count, u64 length, u64 from);

// Where the boot CPU's first stack of 2 MiB goes: the highest aligned 2 MiB below 4 GiB that lie in
// no 1 GiB page, else the highest at all below 4 GiB; 0 when there is none. has_1g: the CPU has 1
// GiB pages.
u64 ranges_place_stack(const struct range *ranges, size_t count, bool has_1g);
