// Physical pages of 4 KiB. They come off the top of linear memory (its 4 KiB tail first); freed ones are used again
// first.
#pragma once

#include "kernel/memory/linear.h"

// Who gives pages: all state of the page allocator. The low stage builds page tables with it, and hands it on.
struct frames {
    struct linear_map map;
    u64 top;   // linear address: everything at or above is given out
    u64 freed; // physical address of the first freed page, 0: none; each holds the address of the next
    u64 freed_count;
};

void frames_init(const struct frames *frames); // takes a copy
const struct frames *frames_state(void);
struct linear_map *frames_map(void); // what boot pages are appended to

// In the low stage: makes a page reachable by the window before it is used. NULL later, when the window has all.
extern void (*frames_reach)(u64 physical);

u64 page_alloc(void);         // physical address of a page, contents undefined; 0 when there is none
u64 page_alloc_cleared(void); // the same, filled with zeroes
void page_free(u64 physical);
u64 pages_free(void);  // pages that page_alloc could still give
u64 pages_total(void); // pages of linear memory
