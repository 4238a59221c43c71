// Between the files of the scheduler: scheduler.c decides who runs, counts.c says what they had.
#pragma once

#include "kernel/cpu/cpus.h"
#include "kernel/thread/queue.h"
#include "kernel/thread/thread.h"

struct scheduler {
    struct lock lock; // of the queue
    struct queue queue;
    struct lock timers;     // of the sleepers
    struct sorted sleepers; // by deadline and tid
    u64 time;               // on this CPU, of all threads
    u64 current;            // the virtual time of the current thread, or of the latest
    struct counts counts;
    // For this CPU alone:
    u64 first;        // when the first sleeper wakes, or earlier
    u64 armed, watch; // when the timer comes; when cpus_watch() wants to be called
    u64 alarm;        // when alarm_run() does
    u64 slice_end;    // of the current thread; 0: nobody waits for its CPU
    unsigned neighbour;
    bool switch_due, slice_over, yields;
};
_Static_assert(sizeof(struct scheduler) <= CPU_PROGRAM, "the room that struct cpu has for it");

static inline struct scheduler *scheduler_of(unsigned cpu) {
    return (struct scheduler *)cpu_number(cpu)->program;
}

// One more, of a thread and of its CPU. That CPU alone changes the numbers.
static inline void scheduler_count(u64 *of_thread, u64 *of_cpu) {
    __atomic_store_n(of_thread, *of_thread + 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(of_cpu, *of_cpu + 1, __ATOMIC_SEQ_CST);
}
