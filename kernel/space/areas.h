// The areas of the program's address space: which addresses mean something, and with which rights.
// Pure: no page tables, no frames; the caller keeps those in step. A red-black tree by address in
// which every node knows the largest hole below it: an operation takes O(log n) steps, or for a
// range so many for each area in it.
#pragma once

#include <bsd/sys/tree.h>
#include "kernel/lib/types.h"
#include "kernel/space/objects.h"

#define AREA_READ  1u // the values of PROT_READ, PROT_WRITE and PROT_EXEC
#define AREA_WRITE 2u
#define AREA_EXEC  4u

#define AREA_NORESERVE 1u // never counted: the program said it will not touch most of it
// private and writable now or before: its pages may all have to exist one day
#define AREA_COUNTED 2u
// its pages are a device's, all there from the beginning: no frames of ours
#define AREA_DEVICE 4u
#define AREA_SEALED 8u   // never writable: the file was opened for reading
#define AREA_STACK  16u  // its pages are a stack's, for the account alone
#define AREA_SHARED 32u  // MAP_SHARED: what one area of its object shows, all show
#define AREA_GROWS  64u  // MAP_GROWSDOWN: what is touched below it becomes part of it
#define AREA_LOCKED 128u // mlock(2): its pages stay when MADV_DONTNEED comes
// the place that a move goes to: who touches it waits until what moves is there
#define AREA_KEPT   512u
#define AREA_NOFORK 1024u // MADV_DONTFORK: a copy of the space does not have it
#define AREA_WIPED  2048u // MADV_WIPEONFORK: there it is zeroes
#define AREA_GUARD  256u  // MADV_GUARD_INSTALL: every access fails, whatever its rights are

// Nothing is placed by choice in so many bytes below an area that grows, so that an overflow is
// known as one.
#ifndef AREA_GAP
#define AREA_GAP (1ull << 20)
#endif

struct area {
    u64 start, end; // multiples of PAGE_SIZE
    u32 rights, flags;
    struct object *object; // that makes its pages; NULL: they are zeroes first
    u64 offset;            // of start in the object, in bytes
    RB_ENTRY(area) link;
    // Of this subtree: its first and last address, the largest hole between two of its areas,
    // whether one is counted.
    u64 low, high, hole;
    bool has_counted;
};

RB_HEAD(area_tree, area);

struct areas {
    struct area_tree tree;
    u64 counted; // pages of areas with AREA_COUNTED
    u64 tables; // page tables that these need at worst: of every level those that would have one of
                // the pages below them
    u64 device; // pages of areas with AREA_DEVICE
    u64 pages;  // pages of all areas
    u64 data;   // and of those for which area_is_data()
    struct object *left; // objects that lost their last area: some may have one again
    struct area *spare;  // free nodes, linked through left: the caller makes sure of AREAS_TAKEN,
    u64 spare_count;     // the most that an operation takes in addition
};

#define AREAS_TAKEN 3
void areas_give(struct areas *areas, struct area *node);

// One area.
struct area area_part(const struct area *area, u64 start, u64 end);
struct area area_moved(struct area area, u64 start);
bool area_is_data(const struct area *area);

// Looking one up.
struct area *areas_find(struct areas *areas, u64 address);
struct area *areas_next(struct area *area);
struct area *areas_before(struct areas *areas, u64 address);

// Changing [start, end).
void areas_put(struct areas *areas, const struct area *like);
void areas_cut(struct areas *areas, u64 start, u64 end);
void areas_protect(struct areas *areas, u64 start, u64 end, u32 rights);
void areas_flag(struct areas *areas, u64 start, u64 end, u32 set, u32 clear);

// What [start, end) holds, and what it costs.
u64 areas_pages(struct areas *areas, u64 start, u64 end, bool data);
u64 areas_counted_private(struct areas *areas, u64 start, u64 end);
bool areas_have_counted(struct areas *areas, u64 start, u64 end);
u64 areas_cost(struct areas *areas, u64 start, u64 end);
u64 areas_tables(u64 start, u64 end);
void areas_count(struct areas *areas, u64 start, u64 end, bool counts); // areas.c alone calls it

// A place for so many bytes.
u64 areas_hole(const struct areas *areas, u64 bytes, u64 low, u64 high);
