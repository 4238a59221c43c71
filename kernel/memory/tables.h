// Four-level page tables (Intel SDM 3A 4.5), any root, reached by the window.
#pragma once

#include "kernel/lib/address.h"

struct tlb;

#define PTE_P   (1ull << 0) // present
#define PTE_W   (1ull << 1) // writable
#define PTE_U   (1ull << 2) // user
#define PTE_PWT (1ull << 3) // write-combining: cpu_init() changes what PAT entry 1 says
#define PTE_PCD (1ull << 4) // cache disable; PWT and PCD together: uncached
#define PTE_A   (1ull << 5) // accessed
#define PTE_D   (1ull << 6) // dirty
#define PTE_PS  (1ull << 7) // leaf above the lowest level
#define PTE_G   (1ull << 8) // survives a CR3 write
// available to software: the frame belongs to the mapping and is freed with it
#define PTE_OURS (1ull << 9)
// available to software: the page or table was promised before it existed, see space.c
#define PTE_COUNTED (1ull << 10)
#define PTE_STACK   (1ull << 11) // available to software: the page is a stack's
// available to software: others may have an entry of the frame, too (shares.h), with PTE_OURS
#define PTE_SHARED  (1ull << 52)
#define PTE_NX      (1ull << 63) // no execute; must be 0 on CPUs without NX, see tables_allow
#define PTE_ADDRESS 0x000ffffffffff000ull

// What an entry names: a page, or a table.
static inline paddr pte_target(u64 entry) { return (paddr){entry & PTE_ADDRESS}; }

// Which PTE bits this CPU has: without NX, or without global pages, they are dropped from every
// entry made here.
extern u64 tables_allow;
extern u64 tables_made; // by what maps, since the start of this stage

// Page sizes by the level of the table that holds their entries.
#define LEVEL_SHIFT(level) (12 + 9 * (level))
#define LEVEL_BYTES(level) (1ull << LEVEL_SHIFT(level))
#define LEVEL_2M           1
#define LEVEL_1G           2

// The entry for address in a table of that level.
u64 *tables_at(paddr table, u64 address, int level);
// The entry for address in the table of that level, in the window; missing tables are made. NULL
// when there is no memory for one. Panics when a larger page is in the way.
u64 *tables_entry(paddr root, u64 address, int level);
// The same with tables that new_table gives, cleared; 0 when it has none.
u64 *tables_entry_with(paddr root, u64 address, int level, paddr (*new_table)(void));

// The entry that says something about address, and the size of its page; NULL when there is none,
// then *bytes is how much at least says nothing. In the lower half a page without rights is an
// entry that is not present.
u64 *tables_leaf(paddr root, u64 address, u64 *bytes);

// Where the byte at address of this CPU's address space can be read without a fault, by the window;
// NULL: not mapped.
const void *tables_peek(u64 address);

// Maps bytes at address to physical memory with the given PTE bits, in pages of at most max_page
// bytes (1 GiB, 2 MiB or 4 KiB), as large as alignment and length allow. All three are multiples of
// PAGE_SIZE; nothing there is mapped yet. False when there is no memory for a table.
bool tables_map(paddr root, u64 address, paddr physical, u64 bytes, u64 bits,
                u64 max_page) MUST_USE;

// Calls each(context, entry, address, bytes) for every page in [start, end) of the lower half, of
// whatever size, one without rights included, skipping absent tables as a whole. No page crosses
// start or end. each may change or empty the entry.
void tables_each(paddr root, u64 start, u64 end,
                 void (*each)(void *context, u64 *entry, u64 address, u64 bytes), void *context);

// How far from start one can go, at most to end, when a page costs so much and a step over an
// absent table or page half of it: to where a page or an absent one begins, at least behind the
// first.
u64 tables_reach(paddr root, u64 start, u64 end, u64 cost, u64 most);

// Taking pages out of the lower half, in three steps. First the CPUs must not find them any more:
// every page in [start, end), which none crosses, becomes not present but keeps the rest of its
// entry, and so do the tables that touch [start, end) and lie wholly inside [low, high), with all
// below them. Returns what was present. Then tlb_flush(). Then the caller gives the pages back
// (tables_each() still finds them), and tables_free() calls give() with the entries of those
// tables.
enum { TABLES_HID_PAGES = 1, TABLES_HID_TABLES = 2 };
unsigned tables_hide(paddr root, u64 start, u64 end, u64 low, u64 high) MUST_USE;
void tables_free(paddr root, u64 start, u64 end, u64 low, u64 high, void (*give)(u64 entry));

// Takes the lower half apart when no CPU uses the root any more, with so much work: drop() gets the
// entries of pages, give() those of tables. True: that was all.
bool tables_take_apart(paddr root, s64 work, void (*drop)(u64 entry, u64 bytes),
                       void (*give)(u64 entry));

// A page of 2 MiB or 1 GiB becomes 512 smaller ones with the same rights in the given table, whose
// contents do not matter and which may come with bits for its entry. While the size changes the
// page is not present: a CPU that found two sizes for one address could raise a machine check (AMD
// family 10h erratum 383; Intel SKL002).
void tables_split(struct tlb *tlb, u64 *entry, u64 address, u64 bytes, u64 table);
// The reverse, for the table of that level, of that root, that has address: when its 512 pages are
// alike and neighbours in physical memory, and the first is aligned for it, they become one and
// give() gets the table's entry.
void tables_join(struct tlb *tlb, u64 address, int level, void (*give)(u64 entry));

// The root in which what is new in the kernel's half is entered: of this CPU, until there is one
// that has nothing but that half.
paddr tables_root(void);
paddr tables_root_here(void);     // CR3 of this CPU
void tables_set_root(paddr root); // from here on it is this one
// Fills a page for a root: nothing in the lower half, and the kernel's half of tables_root().
void tables_begin_root(paddr root);
// Whether the kernel's half had an entry for address that this CPU's root did not have yet.
bool tables_catch_up(u64 address);
