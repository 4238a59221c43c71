// The page that time is made of. The program can read it, too: the vDSO computes the time from the
// same numbers by the same lines as the kernel, so that the two never disagree.
#pragma once

#include "boot/layout.h"
#include "kernel/cpu/clock.h"

// Bits of the sequence, which counts the changes of the clock above them.
#define TIME_CHANGES (1u << 0) // the clock is being changed
// The TSCs of the CPUs that the program may run on are not known to be the same: whoever reads one
// has to know whose it is, and what others were told.
#define TIME_DIFFERS (1u << 1)
#define TIME_CHANGE  (1u << 2) // one more

struct time_page {
    u32 sequence;
    struct clock clock;
    u64 wall_ns;                       // since 1970, at time 0; 0: nobody has asked yet
} __attribute__((aligned(PAGE_SIZE))); // nothing else is in the page
extern struct time_page time_page;     // of the kernel, and of the vDSO that reads it

// Does not wait: false where only the kernel knows, since the TSCs differ, or the clock is being
// changed or due to be refined, or was changed by a CPU that is ahead. read_tsc is rdtsc(), which
// no read passes on either side.
static inline __attribute__((always_inline)) bool time_page_read(const struct time_page *page,
                                                                 u64 (*read_tsc)(void), u64 *ns) {
    u32 before = __atomic_load_n(&page->sequence, __ATOMIC_ACQUIRE);
    if (before & (TIME_CHANGES | TIME_DIFFERS)) return false;
    u64 now = read_tsc();
    u64 from = __atomic_load_n(&page->clock.tsc, __ATOMIC_ACQUIRE);
    u64 valid = __atomic_load_n(&page->clock.refine_at, __ATOMIC_ACQUIRE) - from;
    if (now - from >= valid) return false;
    u64 at_start = __atomic_load_n(&page->clock.ns, __ATOMIC_ACQUIRE);
    u64 factor = __atomic_load_n(&page->clock.ns_per_tsc, __ATOMIC_ACQUIRE);
    if (before != __atomic_load_n(&page->sequence, __ATOMIC_ACQUIRE)) return false;
    *ns = at_start + scale(now - from, factor);
    return true;
}
