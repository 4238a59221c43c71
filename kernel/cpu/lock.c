// Locks between CPUs: taking one, waiting for one, and the order in which they are taken. Whoever
// comes first gets it, in no order: a virtual CPU that the host has put aside would hold up
// everybody who queued behind it.
#include "kernel/cpu/lock.h"

#include "kernel/cpu/cpus.h"
#include "kernel/kernel.h"

#define TRIES_MAX (1u << 28) // not a time: that goes on while a virtual machine stands

static const char *const names[LOCK_RANKS] = {
    [LOCK_FILES] = "open files",
    [LOCK_PIPE] = "pipe",
    [LOCK_ALARM] = "alarm",
    [LOCK_FUTEX] = "futexes",
    [LOCK_THREADS] = "threads",
    [LOCK_LIMITS] = "limits",
    [LOCK_COLLECTOR] = "collector",
    [LOCK_SPACES] = "all address spaces",
    [LOCK_SPACE] = "address space",
    [LOCK_OBJECT] = "shared memory",
    [LOCK_WINDOW] = "window",
    [LOCK_TERMINAL] = "terminal",
    [LOCK_WAITING] = "who waits",
    [LOCK_TIMERS] = "timers",
    [LOCK_QUEUE] = "queue",
    [LOCK_RTC] = "battery clock",
    [LOCK_CLOCK] = "clock",
    [LOCK_REFUSALS] = "refusals",
    [LOCK_PLACES] = "places of open files",
    [LOCK_IOAPIC] = "IO-APIC",
    [LOCK_LOG] = "log",
    [LOCK_SERIAL] = "COM1",
    [LOCK_RANDOM] = "random numbers",
    [LOCK_SHARES] = "shared frames",
    [LOCK_PAGES] = "pages",
};

static const char *lock_name(u32 rank) {
    if (rank >= LOCK_RANKS || !names[rank]) return "without a rank";
    return names[rank];
}

#if __STDC_HOSTED__
static inline u32 lock_ranks_held(void) { return 0; }
static inline void lock_mark(const struct lock *lock) { (void)lock; }
#else
static inline u32 lock_ranks_held(void) {
    u32 held;
    __asm__ volatile("mov %%gs:%c1, %0" : "=r"(held) : "i"(CPU_LOCKS));
    return held;
}

static inline void lock_mark(const struct lock *lock) {
    __asm__ volatile("bts %0, %%gs:%c1" ::"r"((u32)lock->rank), "i"(CPU_LOCKS) : "cc", "memory");
}
#endif

static inline __attribute__((always_inline)) bool lock_get(struct lock *lock) {
    return !__atomic_exchange_n(&lock->taken, true, __ATOMIC_ACQUIRE);
}

// Takes the lock if nobody has it. In any order, since it does not wait.
bool lock_try(struct lock *lock) {
    bool taken = lock_get(lock);
    if (taken) lock_mark(lock);
    return taken;
}

// Another CPU has it. Panics when one holder keeps it for so many looks that it takes seconds at
// least: then it forgot to give it back. Waiting may take longer, where virtual CPUs are many and
// the host's are few.
static void __attribute__((noinline)) lock_wait(struct lock *lock) {
    u32 turns = 0;
    u32 tries = 0;
    do {
        while (__atomic_load_n(&lock->taken, __ATOMIC_RELAXED)) {
            u32 now = __atomic_load_n(&lock->turns, __ATOMIC_RELAXED);
            tries++;
            if (now != turns) tries = 0;
            turns = now;
            if (tries > TRIES_MAX) panic("the lock %s is held for ever", lock_name(lock->rank));
            cpu_serve();
            __asm__ volatile("pause");
        }
    } while (!lock_get(lock));
}

static void __attribute__((noinline, noreturn)) lock_wrong_order(const struct lock *lock) {
    u32 highest = 31 - (u32)__builtin_clz(lock_ranks_held());
    panic("the lock %s is taken under the lock %s", lock_name(lock->rank), lock_name(highest));
}

// Panics when this CPU holds a lock of this rank or a higher one, whether somebody else has this
// one or not.
void lock_order(const struct lock *lock) {
    if (lock_ranks_held() >> lock->rank) lock_wrong_order(lock);
}

// Waits until nobody has the lock, and takes it; serves meanwhile what others ask of this CPU.
// Panics because of the order as lock_order() does.
void lock_take(struct lock *lock) {
    lock_order(lock);
    if (!lock_get(lock)) lock_wait(lock);
    lock_mark(lock);
}

// Takes a second lock of the rank of low, which this CPU took last, and which lies lower in memory.
// The rank has one mark: giving one of the two back clears it for both. So the other one has to be
// given back right after, with no lock taken in between.
void lock_take_second(struct lock *lock, const struct lock *low) {
    if (lock <= low || lock_ranks_held() >> low->rank > 1) lock_wrong_order(lock);
    if (!lock_get(lock)) lock_wait(lock);
}
