// Physical pages of 4 KiB. They come off the top of linear memory (its 4 KiB tail first); freed ones are used again
// first.
#pragma once

#include "kernel/lib/types.h"

u64 page_alloc(void);         // physical address of a page, contents undefined; 0 when there is none
u64 page_alloc_cleared(void); // the same, filled with zeroes
void page_free(u64 physical);
u64 pages_free(void);  // pages that page_alloc could still give
u64 pages_total(void); // pages of linear memory

// length bytes of kernel memory for ever, contiguous in linear memory but not in physical memory, cleared; NULL when
// there is not that much.
void *kernel_memory(u64 length);
