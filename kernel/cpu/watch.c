// What CPU 0 looks after from time to time, whatever runs on it: devices whose interrupt may be
// lost, or that are behind.
#include "kernel/cpu/cpus.h"
#include "kernel/kernel.h"

#define WATCHES 2
#define NEVER   UINT64_MAX

static u64 (*looks[WATCHES])(u64 now);
static unsigned count;
static u64 next = NEVER;

// look returns when it wants to be called again; UINT64_MAX: not before watch_by().
void watch_add(u64 (*look)(u64 now)) {
    ASSERT(count < WATCHES);
    looks[count++] = look;
}

u64 watch_next(void) { return __atomic_load_n(&next, __ATOMIC_SEQ_CST); }

// All looks are called by that time. Any CPU may call this, in interrupts, too. CPU 0 sets its
// timer before it goes back to what it did.
void watch_by(u64 when) {
    u64 before = watch_next();
    do {
        if (before <= when) return;
    } while (!__atomic_compare_exchange_n(&next, &before, when, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    if (this_cpu()->number) ipi_send(0);
}

// On CPU 0: calls every look when one of them is due. A look that is asked for meanwhile counts for
// the next time.
void watch_run(u64 now) {
    if (now < watch_next()) return;
    __atomic_store_n(&next, NEVER, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < count; i++) {
        u64 again = looks[i](now);
        watch_by(again);
    }
}
