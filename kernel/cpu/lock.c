// See lock.h. Whoever comes first gets it, in no order: a virtual CPU that the host has put aside
// would hold up everybody who queued behind it.
#include "kernel/cpu/lock.h"

#include "kernel/cpu/cpus.h"
#include "kernel/kernel.h"

#define TRIES_MAX (1u << 28) // not a time: that goes on while a virtual machine stands

bool lock_try(struct lock *lock) {
    return !__atomic_exchange_n(&lock->taken, true, __ATOMIC_ACQUIRE);
}

void lock_take(struct lock *lock) {
    u32 turns = 0, tries = 0, now;
    while (!lock_try(lock)) {
        while (__atomic_load_n(&lock->taken, __ATOMIC_RELAXED)) {
            now = __atomic_load_n(&lock->turns, __ATOMIC_RELAXED);
            tries = now == turns ? tries + 1 : 0;
            turns = now;
            if (tries > TRIES_MAX) panic("the lock at %p is held for ever", (void *)lock);
            cpu_serve();
            __asm__ volatile("pause");
        }
    }
}
