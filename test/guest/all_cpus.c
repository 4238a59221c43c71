// As many CPUs as the argument says run this program, all at the same time: each says which it is
// by its own CPUID.
#include "threads.h"

static _Atomic int seen[256], count;
static _Atomic int64_t until;

static void *spin(void *me) {
    while (count < threads && now_ns() < until) {
        for (volatile int i = 0; i < 10000; i++) {}
        unsigned id = apic_id();
        if (!seen[id] && !atomic_exchange(&seen[id], 1)) count++;
    }
    return me;
}

int main(int argc, char **argv) {
    arguments(argc, argv);
    until = now_ns() + 40 * SECOND; // they may come later than the program starts
    while (cpus() < threads && now_ns() < until) usleep(1000);
    if (cpus() != threads) FAIL("%d CPUs may be used", cpus());
    all_of(threads, spin);
    printf("%d CPUs\n", (int)count);
    return count != threads;
}
