// Memory in use and free, for all CPUs: pages of 4 KiB, frames of 2 MiB, and runs of frames, all by
// physical address. Page 0 of physical memory is never usable, so 0 means "none".
//
// In the low kernel pages come off the top of linear memory, as far as they lie below 4 GiB, since
// the loader mapped no more, and none comes back. The high kernel begins with pages_init(): whole
// frames go to frames.h; the 4 KiB tail comes first, then frames that are split. When all pages of
// one are free it is whole again.
#pragma once

#include "kernel/memory/linear.h"

struct pages { // all that the low kernel knows, and hands on
    struct linear_map map;
    u64 top; // linear address: what is at or above and below 4 GiB in physical memory is in use
};

void pages_begin(struct pages *pages); // low kernel; every page_alloc() lowers its top

// High kernel: what handed says is not in use is free, but for what the allocator takes for itself.
// later: bytes that pages_grow() may add in all. handed->map must stay. CPU 0 takes part, in its
// slot.
void pages_init(const struct pages *handed, u64 later);
// The next CPU takes part; its struct slot is there.
void pages_join(void);
// Linear memory has grown at its end by pages of 4 KiB, in use until pages_give() or page_free():
// map has the old extents and the new. While extents change no other CPU may call anything here.
void pages_grow(const struct linear_map *map);

paddr page_alloc(void);         // contents undefined; 0 when there is none
paddr page_alloc_cleared(void); // filled with zeroes
void page_free(paddr physical);
void pages_give(paddr physical,
                u64 bytes); // the same with neighbours of what linear memory has grown by
u64 pages_free(
    void); // pages that page_alloc could still give, at least; exact when no other CPU is in here
u64 pages_total(void); // pages of linear memory
// A whole frame, filled with zeroes if this CPU has any from when it was idle, else contents
// undefined; 0: none.
paddr frame_alloc(bool *cleared);
// A whole frame that is in use: from now on its pages are, one by one. When nobody has given one of
// them back, it may be given back as a whole all the same.
void frame_split(paddr physical);
bool frames_idle(
    void); // when idle: clears one frame if that is of use later; false when there is nothing to do

paddr frames_alloc_1g(
    void); // a 1 GiB page of linear memory that is free as a whole, contents undefined; 0: none
// Gives frames back that are neighbours in physical and in linear memory, however they were taken.
void frames_free_run(paddr physical, u64 count);
