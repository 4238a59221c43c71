// The areas of the program's address space: which addresses mean something, with which rights, and what lies behind
// them. Pure: no page tables, no frames; the caller keeps those in step. A red-black tree by address whose nodes also
// know the largest hole below them, so that every operation is O(log n) in the number of areas, however large they are.
#pragma once

#include <bsd/sys/tree.h>
#include "kernel/lib/types.h"

#define AREA_READ  1u // the values of PROT_READ, PROT_WRITE and PROT_EXEC
#define AREA_WRITE 2u
#define AREA_EXEC  4u

#define AREA_NORESERVE 1u // never counted: the program said it will not touch most of it
#define AREA_COUNTED   2u // private and writable now or before: its pages may all have to exist one day

struct area {
    u64 start, end; // multiples of PAGE_SIZE
    u32 rights, flags;
    u64 file;       // physical address of the program file's byte at start, a multiple of PAGE_SIZE
    u64 file_bytes; // that come from there; what follows is zero
    RB_ENTRY(area) link;
    u64 low, high, hole; // of the subtree: its first byte, its end, the largest hole between its areas
};

RB_HEAD(area_tree, area);

struct areas {
    struct area_tree tree;
    u64 counted; // pages of areas with AREA_COUNTED
};

// Where nodes come from and go to. Each operation below takes at most AREAS_TAKEN; the caller makes sure that many
// are there, so that no operation fails half-way.
#define AREAS_TAKEN 3
struct area *area_take(void);
void area_give(struct area *area);

// The lowest area that ends above address: the one that contains it, or the next one; NULL when there is none.
struct area *areas_find(const struct areas *areas, u64 address);
// Puts an area like this one at [start, end), replacing whatever is there; joins it with like neighbours.
void areas_put(struct areas *areas, const struct area *like);
// Removes what is in [start, end), splitting at its borders.
void areas_cut(struct areas *areas, u64 start, u64 end);
// Sets rights; false (and nothing done) when [start, end) has a hole. What becomes writable is counted from then on.
bool areas_protect(struct areas *areas, u64 start, u64 end, u32 rights) MUST_USE;
// Pages in [start, end) that are counted, and those that would be if the range became writable.
u64 areas_counted(const struct areas *areas, u64 start, u64 end, bool if_writable);
// The highest address in [low, high) with that many free bytes behind it; 0 when there is none.
u64 areas_hole(const struct areas *areas, u64 bytes, u64 low, u64 high);
// The hole around address, which lies in no area: its end is limit when no area follows.
void areas_hole_at(const struct areas *areas, u64 address, u64 limit, u64 *start, u64 *end);
