// What threads had: time on CPUs, and faults, waits and turns of others, for whoever asks.
#include "kernel/thread/scheduler.h"

#include "kernel/thread/cputime.h"

// TSC ticks that a thread, the current one, was on CPUs.
u64 thread_time(const struct thread *thread) { return cpu_time_read(&thread->time); }

// The same of all threads so far.
u64 program_time(void) {
    u64 sum = 0;
    for (unsigned cpu = 0; cpu < cpus_online(); cpu++)
        sum += cpu_time_read(&scheduler_of(cpu)->time);
    return sum;
}

// Counts a page fault of the current thread.
void count_fault(void) {
    struct thread *thread = (struct thread *)this_cpu()->current;
    if (thread)
        scheduler_count(&thread->counts.faults, &scheduler_of(this_cpu()->number)->counts.faults);
}

// What is counted, of all threads so far.
struct counts program_counts(void) {
    struct counts sum = {0};
    for (unsigned cpu = 0; cpu < cpus_online(); cpu++) {
        const struct counts *counts = &scheduler_of(cpu)->counts;
        sum.faults += __atomic_load_n(&counts->faults, __ATOMIC_RELAXED);
        sum.waits += __atomic_load_n(&counts->waits, __ATOMIC_RELAXED);
        sum.put_aside += __atomic_load_n(&counts->put_aside, __ATOMIC_RELAXED);
    }
    return sum;
}
