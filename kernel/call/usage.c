// What the program has used so far.
#include <linux/resource.h>
#include <linux/times.h>
#include "kernel/cpu/time.h"
#include "kernel/call/call.h"
#include "kernel/memory/promises.h"

#define SECOND  1000000000ull
#define TICKS   100 // of times(2) in a second, as AT_CLKTCK says
#define TICK_NS (SECOND / TICKS)

// getrusage(int who, usage): there are no children, the kernel's own time is in the program's, and
// pages of the file that are not its own are not counted.
s64 call_getrusage(struct thread *thread, const u64 *arg) {
    int who = (int)arg[0];
    if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD) return -EINVAL;
    struct rusage usage = {0};
    struct counts counts = {0};
    u64 ticks = 0;
    if (who == RUSAGE_SELF) {
        counts = program_counts();
        ticks = program_time();
    }
    if (who == RUSAGE_THREAD) {
        counts = thread->counts;
        ticks = thread_time(thread);
    }
    u64 ns = time_tsc_to_ns(ticks);
    if (who != RUSAGE_CHILDREN)
        usage.ru_maxrss =
            (s64)(__atomic_load_n(&promises.most, __ATOMIC_RELAXED) * (PAGE_SIZE / 1024));
    usage.ru_utime.tv_sec = (s64)(ns / SECOND);
    usage.ru_utime.tv_usec = (s64)(ns % SECOND / 1000);
    usage.ru_minflt = (s64)counts.faults;
    usage.ru_nvcsw = (s64)counts.waits;
    usage.ru_nivcsw = (s64)counts.put_aside;
    return put_user(user(arg[1]), &usage, sizeof usage);
}

// times(times): ticks since the start of the machine, and on CPUs.
s64 call_times(struct thread *thread, const u64 *arg) {
    struct tms times = {.tms_utime = (s64)(time_tsc_to_ns(program_time()) / TICK_NS)};
    if (arg[0] && !copy_to_user(user(arg[0]), &times, sizeof times)) return -EFAULT;
    return (s64)(time_now_ns() / TICK_NS);
}
