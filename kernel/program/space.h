// What space.c and mappings.c share: address spaces, of which there is one.
#pragma once

#include "kernel/cpu/cpus.h"
#include "kernel/program/program.h"

#define PAGES(bytes) ((bytes) / PAGE_SIZE)
#define SPACE_LOWEST (16 * PAGE_SIZE) // of what is placed by choice, as Linux's mmap_min_addr

struct space {
    struct lock lock; // of all that follows, and of the pages and tables
    struct areas areas;
    struct tlb *tlb;             // and its root
    const struct limits *limits; // of its process
    u64 brk_start, brk_now;
    u64 promised, tables; // of all areas: what the account of promises was told of last
    int largest;          // level of the largest pages that the CPU has
    u64 lock_future; // what mlockall() wants for every area from now on: MCL_FUTURE, perhaps with
                     // MCL_ONFAULT; 0
    unsigned
        changed; // of what was present, and is not flushed: TABLES_HID_PAGES, TABLES_HID_TABLES
};

// Takes the lock. Everything below needs it.
void space_take(struct space *space);
const struct area *space_area(struct space *space, u64 address); // NULL: none
// Enough nodes for an operation on areas; false when there is no page for them.
bool space_nodes_ready(void);
// Whether there is memory for an area like this one instead of what is at its place: for what it is
// promised, beside so many pages that were taken for it, and for nodes. Changes nothing else, but
// for what space_promise() does.
bool space_can_put(struct space *space, const struct area *like, u64 taken);
// Promises the space so many pages for areas that are to come: the next operation on areas counts
// them in. False: they are not there.
bool space_promise(struct space *space, u64 pages) MUST_USE;
// The operations of areas.h, and what is promised follows.
void space_areas_put(struct space *space, const struct area *like);
void space_areas_cut(struct space *space, u64 start, u64 end);
void space_areas_protect(struct space *space, u64 start, u64 end, u32 rights);
// Fills the entry for an area's page of that size with one of the program's own; of 4 KiB with its
// object's.
void space_page_put(u64 *entry, const struct area *area, u64 physical, u64 bytes);
void space_page_show(u64 *entry, const struct area *area, u64 physical);
void space_page_give(u64 physical, u64 bytes); // back to those that are free
void space_table_give(u64 entry);
// Whether a page of that size may be made: what was promised comes first.
bool space_page_allowed(const struct area *area, u64 bytes);
// The entry for an address of an area in the table of that level; NULL when there is no memory for
// a table.
u64 *space_entry(struct space *space, const struct area *area, u64 address, int level);
// Splits pages until none crosses an address, or two. False when there is no memory for that.
bool space_border(struct space *space, u64 address);
bool space_borders(struct space *space, u64 start, u64 end);
// Drops the pages of a range, at whose borders none crosses, and the tables that nobody needs any
// more.
void space_drop(struct space *space, u64 start, u64 end);
// For tables_each(), after a change of rights, with the space; space_flush() then.
void space_refresh(void *context, u64 *entry, u64 address, u64 bytes);
void space_flush(struct space *space, u64 start, u64 end);
// Fills a new area of a device: false when there is no memory for page tables.
bool space_put_device(struct space *space, const struct area *area, u64 physical);
// Makes the page for an access with that error code (see space_fault()). Gives the lock up for a
// while when it clears a large page; then the access may have to be tried again.
const char *space_make(struct space *space, u64 address, u64 error);
// Whether RLIMIT_AS and RLIMIT_DATA allow an area like this one instead of what is at its place.
bool space_within_limits(struct space *space, const struct area *like);

// How far from start an operation on areas and pages may go at once, at most to end: no page
// crosses that.
u64 space_reach(struct space *space, u64 start, u64 end);
// Gives back a piece of the shared memory that nobody shows any more. True: nothing is left of it.
bool space_collect(struct space *space);
// Gives an address of an area a large page that was taken for it and cleared; false when it wants
// none.
bool space_put_taken(struct space *space, u64 address, u64 physical, int level);

// ---- populate.c: pages that mmap makes before they are touched ----
// Takes large pages for so many bytes before the area is there. Its result but for 0, when they are
// there, is that of the call: -ENOMEM, or what call_again() returns. Without the lock.
s64 populate_take(struct thread *thread, u64 bytes, int level);
// The call mmap goes on, which has put its area: it gets what was taken, or with level 0 what is
// missing. Returns what the call returns, when all is done result.
s64 populate_begin(struct thread *thread, u64 start, u64 end, int level, s64 result);
s64 populate(struct thread *thread);
