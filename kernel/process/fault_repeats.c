// A page fault of the program for which there is nothing to do: the page is there, with all its
// rights. Another CPU has just given them, and this one remembered the page as it was; so it comes
// again only when page tables change again. One that comes several times with none changed is none
// that the kernel can heal (a reserved bit in an entry, a feature of the CPU that nobody built),
// and would come for ever.
#include "kernel/process/program.h"

#define TIMES_MAX 4 // one would do, but for a thread that comes to CPUs that remember the page, too

bool fault_repeats(struct repeats *last, u64 rip, u64 address, u64 generation) {
    bool same = last->rip == rip && last->address == address && last->generation == generation;
    u32 times = 1;
    if (same) times = last->times + 1;
    *last = (struct repeats){rip, address, generation, times};
    return times > TIMES_MAX;
}
