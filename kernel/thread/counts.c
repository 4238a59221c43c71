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

// What the threads of a process had that are there, beside those that have ended. With one process
// the CPUs know it.
struct usage process_usage(struct process *process) {
    struct usage sum = {program_counts(), program_time()};
    if (processes_count() == 1) return sum;
    lock_take(&threads_lock);
    sum = process->ended;
    for (struct thread *one = thread_from(process, 0); one;
         one = thread_from(process, one->tid + 1))
        usage_add(&sum, one);
    lock_give(&threads_lock);
    return sum;
}

struct usage usage_sum(const struct usage *a, const struct usage *b) {
    struct usage sum = *a;
    sum.ticks += b->ticks;
    sum.counts.faults += b->counts.faults;
    sum.counts.waits += b->counts.waits;
    sum.counts.put_aside += b->counts.put_aside;
    return sum;
}

void usage_add(struct usage *sum, const struct thread *thread) {
    const struct usage its = {thread->counts, thread_time(thread)};
    *sum = usage_sum(sum, &its);
}
