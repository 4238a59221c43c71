// Locks between CPUs. The kernel runs with interrupts off, and the handlers of NMI, #MC and #DB
// take no locks. So while a CPU holds a lock nothing else on the same CPU can want one, but for a
// page fault in a copy to or from the program. That takes the lock of the address space: of all
// locks only a futex's bucket may be held at such a copy.
//
// A CPU that waits for a lock serves what others ask of it meanwhile (cpu_serve), so that two CPUs
// never wait for each other.
#pragma once

#include "kernel/lib/types.h"

// The order, outer first: under a lock only those of a higher rank are taken. lock.c names them.
enum lock_rank {
    LOCK_FILES = 1,
    LOCK_PIPE,
    LOCK_ALARM,
    LOCK_FUTEX,
    LOCK_THREADS,
    LOCK_LIMITS,
    LOCK_COLLECTOR,
    LOCK_SPACES, // the list of all address spaces
    LOCK_SPACE,
    LOCK_OBJECT,
    LOCK_WINDOW,
    LOCK_TERMINAL,
    LOCK_WAITING,
    LOCK_TIMERS,
    LOCK_QUEUE,
    LOCK_RTC,
    LOCK_CLOCK,
    LOCK_REFUSALS,
    LOCK_PLACES, // for open files
    LOCK_IOAPIC,
    LOCK_LOG,
    LOCK_SERIAL,
    LOCK_RANDOM,
    LOCK_SHARES,
    LOCK_PAGES, // a stack can grow anywhere
    LOCK_RANKS
};

struct lock {
    bool taken;
    u8 rank;
    u32 turns; // how often it was given back
};

// Each CPU has a bit for each rank of which it holds a lock, at this place behind its GS base. Host
// tests have none.
#define CPU_LOCKS 48
#if __STDC_HOSTED__
static inline void lock_unmark(const struct lock *lock) { (void)lock; }
#else
static inline void lock_unmark(const struct lock *lock) {
    __asm__ volatile("btr %0, %%gs:%c1" ::"r"((u32)lock->rank), "i"(CPU_LOCKS) : "cc", "memory");
}
#endif

void lock_take(struct lock *lock);
void lock_take_second(struct lock *lock, const struct lock *low);
bool lock_try(struct lock *lock) MUST_USE; // does not wait
void lock_order(const struct lock *lock);  // only looks whether lock_take() would be in order
static inline void lock_give(struct lock *lock) {
    lock_unmark(lock);
    __atomic_store_n(&lock->turns, lock->turns + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&lock->taken, false, __ATOMIC_RELEASE);
}
