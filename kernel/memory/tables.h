// Four-level page tables (Intel SDM 3A 4.5), any root, reached by the window.
#pragma once

#include "kernel/lib/types.h"

#define PTE_P       (1ull << 0)  // present
#define PTE_W       (1ull << 1)  // writable
#define PTE_U       (1ull << 2)  // user
#define PTE_PWT     (1ull << 3)  // write-combining: cpu_init() changes what PAT entry 1 says
#define PTE_PCD     (1ull << 4)  // cache disable; PWT and PCD together: uncached
#define PTE_A       (1ull << 5)  // accessed
#define PTE_D       (1ull << 6)  // dirty
#define PTE_PS      (1ull << 7)  // leaf above the lowest level
#define PTE_G       (1ull << 8)  // survives a CR3 write
#define PTE_OURS    (1ull << 9)  // available to software: the frame belongs to the mapping and is freed with it
#define PTE_NX      (1ull << 63) // no execute; must be 0 on CPUs without NX, see tables_allow
#define PTE_ADDRESS 0x000ffffffffff000ull

// Which PTE bits this CPU has: without NX, or without global pages, they are dropped from every entry made here.
extern u64 tables_allow;

// The entry for a 4 KiB page, in the window. create: missing tables are made (NULL when there is no memory for one);
// without create NULL when a table is missing. Panics when a large page is in the way.
u64 *tables_entry(u64 root, u64 address, bool create);

// The entry that maps address, and the size of its page; NULL when nothing is mapped, then *bytes is how much at least.
u64 *tables_leaf(u64 root, u64 address, u64 *bytes);

// Maps bytes at address to physical memory with the given PTE bits, in pages of at most max_page bytes (1 GiB, 2 MiB or
// 4 KiB), as large as alignment and length allow. All three are multiples of PAGE_SIZE; nothing there is mapped yet.
// False when there is no memory for a table.
bool tables_map(u64 root, u64 address, u64 physical, u64 bytes, u64 bits, u64 max_page) MUST_USE;

// Calls each(entry) for every 4 KiB entry that is not 0 (a page without rights is kept, not present) in [start, end),
// skipping absent tables as a whole.
void tables_each(u64 root, u64 start, u64 end, void (*each)(u64 *entry, u64 address));

// Frees the tables, not the pages, that lie wholly inside [start, end) of the lower half.
void tables_free(u64 root, u64 start, u64 end);

u64 tables_count(void); // tables made so far

void tlb_flush_page(u64 address);
void tlb_flush_all(void); // everything that is not global

u64 tables_root(void); // CR3 of this CPU
