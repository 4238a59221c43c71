// The high stage's first and last step on memory.
#pragma once

#include "kernel/memory/build.h"

// Takes over what the low stage built; says in the log how memory is laid out, and checks that against the page tables.
void memory_take_over(const struct handover *handover);

// Appends to linear memory what booting does not need any more, and gives it to the page allocator but for the image,
// whose pages are still somebody's. Pages of firmware tables that were mapped stay as they are. The handover is gone
// afterwards.
void memory_end_boot(const struct handover *handover);

// The pages of [start, end) of the image, rounded inward, are nobody's any more.
void memory_give(u64 start, u64 end);

// How much is usable in the end, in the log.
void memory_report(void);
