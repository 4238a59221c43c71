// The clocks, and sleeping by them.
#include <linux/time.h>
#include "kernel/call/call.h"
#include "kernel/cpu/time.h"

// clock_gettime(int clock, time)
s64 call_clock_gettime(struct thread *thread, const u64 *arg) {
    u64 ns;
    if ((int)arg[0] == CLOCK_MONOTONIC)
        return time_put(user(arg[1]), time_now_ns()); // the one that is asked most
    if (!clock_now(thread, (int)arg[0], &ns)) return -EINVAL;
    return time_put(user(arg[1]), ns);
}

// clock_getres(int clock, time): a nanosecond, by the TSC, for all of them.
s64 call_clock_getres(struct thread *thread, const u64 *arg) {
    if (!clock_exists(thread, (int)arg[0])) return -EINVAL;
    if (!arg[1]) return 0;
    return time_put(user(arg[1]), 1);
}

s64 call_gettimeofday(struct thread *thread, const u64 *arg) {
    return clock_tell_time_of_day(user(arg[0]), user(arg[1]));
}

s64 call_time(struct thread *thread, const u64 *arg) { return clock_tell_seconds(user(arg[0])); }

// A handler has run. What is left of a sleep that did not end at a given time is told.
static s64 clock_interrupted(struct thread *thread, struct clock_id clock, bool absolute,
                             u64 left_at) {
    if (absolute || !left_at) return -EINTR;
    s64 error = time_put(user(left_at), clock_sleep_left(thread, clock));
    if (error) return error;
    return -EINTR;
}

// clock_nanosleep(int clock, int flags, time, left)
s64 call_clock_nanosleep(struct thread *thread, const u64 *arg) {
    struct clock_id clock;
    u64 ns;
    bool is_first = !thread->has_deadline;
    s64 error = clock_of_sleep(thread, (int)arg[0], &clock);
    if (is_first && !error) error = time_get(user(arg[2]), &ns);
    if (is_first && !error)
        error = clock_sleep_begin(thread, clock, ns, (u32)arg[1] & TIMER_ABSTIME);
    if (error) return error;
    s64 result = clock_sleep(thread, clock);
    if (result != CALL_WAITS || !thread->interrupted) return result;
    return clock_interrupted(thread, clock, (u32)arg[1] & TIMER_ABSTIME, arg[3]);
}

s64 call_nanosleep(struct thread *thread, const u64 *arg) {
    return call_clock_nanosleep(thread, (u64[]){CLOCK_MONOTONIC, 0, arg[0], arg[1]});
}
