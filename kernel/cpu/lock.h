// Locks between CPUs. The kernel runs with interrupts off, so nobody on the same CPU can want a
// lock that is held, but for a page fault inside a user copy; NMI, #MC and #DB handlers take none.
// A CPU that waits for a lock serves what others ask of it meanwhile (cpu_serve), so that two CPUs
// never wait for each other.
//
// Order, outer first: the open files or a futex's bucket, the threads, the address space, page
// tables of the kernel's half; then a CPU's timers, a CPU's queue, the terminal, the clock, the
// log; pages, since a stack can grow anywhere. User copies fault, so they happen under the open
// files or buckets at most.
#pragma once

#include "kernel/lib/types.h"

struct lock {
    bool taken;
    u32 turns; // how often it was given back
};

// Panics when one holder keeps it for so many looks that it takes seconds at least: then it forgot
// to give it back. Waiting may take longer, where virtual CPUs are many and the host's are few.
void lock_take(struct lock *lock);
bool lock_try(struct lock *lock) MUST_USE;
static inline void lock_give(struct lock *lock) {
    __atomic_store_n(&lock->turns, lock->turns + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&lock->taken, false, __ATOMIC_RELEASE);
}
