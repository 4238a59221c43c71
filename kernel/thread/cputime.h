// Time that something spends on CPUs, in TSC ticks. While it runs, its word is (total - TSC at its
// start) | 1; while it stands, the total, which is even. Its own CPU alone changes it.
#pragma once

#include "kernel/cpu/time.h"

// By anybody, at any time.
static inline u64 cpu_time_read(const u64 *time) {
    u64 value;
    u64 now;
    do {
        value = __atomic_load_n(time, __ATOMIC_SEQ_CST);
        now = tsc();
    } while (__atomic_load_n(time, __ATOMIC_SEQ_CST) != value); // it may have stopped long ago
    if (value & 1) return (value & ~1ull) + now;
    return value;
}

static inline void cpu_time_go(u64 *time, u64 now) {
    __atomic_store_n(time, (*time - now) | 1, __ATOMIC_SEQ_CST);
}

static inline void cpu_time_stop(u64 *time, u64 now) {
    __atomic_store_n(time, ((*time & ~1ull) + now) & ~1ull, __ATOMIC_SEQ_CST);
}
