// A process: what its threads share beside their memory. There is one.
#pragma once

#include "kernel/cpu/lock.h"
#include "kernel/lib/elf.h"
#include "kernel/thread/sigqueue.h"
#include "kernel/lib/sorted.h"

#define SIGNALS 64 // and the highest number of one

// The file that it runs.
struct image {
    u64 bias;                   // what was added to the addresses in the file
    u64 low, high;              // what its segments take, with that
    struct elf_symbols symbols; // all that is read of the file after the start
};

struct signal_action { // Linux's struct kernel_sigaction
    u64 handler, flags, restorer, mask;
};

// Under the lock of the threads.
struct signals {
    struct signal_action actions[SIGNALS + 1];
    u64 pending; // sent to the process: for any thread that does not block them; bit n - 1 for n
    struct signal_queue queue; // what was told about these
    u32 unasked; // threads from this tid on were not asked yet whether they take one; 0: all were
};

#define LIMITS 16
struct limits { // process/limits.c; of RLIMIT_*
    struct lock lock;
    struct limit {
        u64 soft, hard;
    } of[LIMITS];
};
static inline u64 limit_get(const struct limits *limits, unsigned resource) { // the soft one
    return __atomic_load_n(&limits->of[resource].soft, __ATOMIC_RELAXED);
}
static inline u64 limit_hard(const struct limits *limits, unsigned resource) {
    return __atomic_load_n(&limits->of[resource].hard, __ATOMIC_RELAXED);
}

// Its timer of real time (alarm.c).
struct alarm {
    struct sorted_node node; // among those that are set, by the time when the signal comes
    u64 interval;
};

struct space;
struct files;

struct process {
    u32 id; // and the tid of its first thread
    struct space *space;
    struct image image;
    struct signals signals;
    struct files *files; // the open ones (file/files.h)
    struct limits limits;
    struct alarm alarm;
};
