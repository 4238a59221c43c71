// What the allocator keeps of 512 neighbouring pages: between pages.c, which gives them out, and
// shares.c, which knows of which ones several address spaces may have entries.
#pragma once

#include <sys/queue.h>
#include "kernel/memory/linear.h"

#define FRAME_BYTES PAGE_2M
#define GROUP_PAGES (FRAME_BYTES / PAGE_SIZE)

#define SHARE_BITS  2 // of each page in shares
#define SHARE_WORDS (GROUP_PAGES * SHARE_BITS / 64)

struct group {
    u64 map[GROUP_PAGES / 64]; // 1: free
    u64 free;
    u64 shares[SHARE_WORDS]; // of the pages of a split frame (shares.c)
    paddr physical;          // of a frame; the tail's pages need not be neighbours
    LIST_ENTRY(group) link;
};

// Where a page is: its group, its number there, and what is known of its frame as a whole; NULL: it
// is in the tail, which is always split.
struct group_place {
    struct group *group;
    u64 page;
    u8 *frame;
};
struct group_place group_of(paddr physical);
u64 groups_count(void);
struct group_place group_number(u64 number);
paddr group_start(u64 number); // of a frame
paddr group_page(const struct group *group, u64 page);
