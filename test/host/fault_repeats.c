// A fault that comes again while nothing changed is told from those that only look like it.
#include "kernel/process/fault_repeats.c"
#include "test/check.h"

static int until_told(struct repeats *last, u64 rip, u64 address, u64 generation) {
    int times = 1;
    while (times < 100 && !fault_repeats(last, rip, address, generation)) times++;
    return times;
}

int main(void) {
    struct repeats last = {0};
    CHECK(until_told(&last, 5, 6, 7) == TIMES_MAX + 1);
    CHECK(fault_repeats(&last, 5, 6, 7));
    CHECK(!fault_repeats(&last, 5, 6, 8) && until_told(&last, 5, 6, 8) == TIMES_MAX);
    for (u64 i = 0; i < 1000; i++)
        CHECK(!fault_repeats(&last, 5, 6, 9 + i)); // page tables change all the time
    for (u64 i = 0; i < 1000; i++)
        CHECK(!fault_repeats(&last, 5, 0x1000 * i, 1) && !fault_repeats(&last, 4, 8, 1));
    return check_done("fault_repeats");
}
