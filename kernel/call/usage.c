// What the program has used so far.
#include <linux/resource.h>
#include <linux/times.h>
#include "kernel/cpu/time.h"
#include "kernel/call/call.h"
#include "kernel/memory/promises.h"

#define SECOND  1000000000ull
#define TICKS   100 // of times(2) in a second, as AT_CLKTCK says
#define TICK_NS (SECOND / TICKS)

static struct usage usage_of(struct thread *thread, int who) {
    if (who == RUSAGE_SELF) return process_usage(thread->process);
    if (who == RUSAGE_CHILDREN) return thread->process->of_children;
    return (struct usage){thread->counts, thread_time(thread)};
}

s64 usage_tell(u64 at, const struct usage *of) {
    u64 ns = time_tsc_to_ns(of->ticks);
    struct rusage usage = {0};
    usage.ru_maxrss = (s64)(__atomic_load_n(&promises.most, __ATOMIC_RELAXED) * (PAGE_SIZE / 1024));
    usage.ru_utime.tv_sec = (s64)(ns / SECOND);
    usage.ru_utime.tv_usec = (s64)(ns % SECOND / 1000);
    usage.ru_minflt = (s64)of->counts.faults;
    usage.ru_nvcsw = (s64)of->counts.waits;
    usage.ru_nivcsw = (s64)of->counts.put_aside;
    return put_user(user(at), &usage, sizeof usage);
}

// getrusage(int who, usage): the kernel's own time is in the program's, memory is that of all
// processes, and pages of the file that are not a process's own are not counted.
s64 call_getrusage(struct thread *thread, const u64 *arg) {
    int who = (int)arg[0];
    if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD) return -EINVAL;
    const struct usage usage = usage_of(thread, who);
    return usage_tell(arg[1], &usage);
}

// times(times): ticks since the start of the machine, and on CPUs.
s64 call_times(struct thread *thread, const u64 *arg) {
    struct tms times = {0};
    times.tms_utime = (s64)(time_tsc_to_ns(process_usage(thread->process).ticks) / TICK_NS);
    times.tms_cutime = (s64)(time_tsc_to_ns(thread->process->of_children.ticks) / TICK_NS);
    if (arg[0] && !copy_to_user(user(arg[0]), &times, sizeof times)) return -EFAULT;
    return (s64)(time_now_ns() / TICK_NS);
}
