// alarm(2), setitimer and getitimer: the process's timers of real time and of its time on CPUs.
#include <linux/time.h>
#include "kernel/call/call.h"

#define SECOND      1000000000ull
#define MICROSECOND 1000ull

// alarm(unsigned seconds): what was left is rounded, but never to 0.
s64 call_alarm(struct thread *thread, const u64 *arg) {
    const struct timer wanted = {.left = (u32)arg[0] * SECOND};
    u64 left = alarm_set(&thread->process->alarms[0], &wanted, false).left;
    u64 seconds = left / SECOND;
    if (left % SECOND >= SECOND / 2 || (left && !seconds)) seconds++;
    return (s64)seconds;
}

static s64 timeval_get(const struct __kernel_old_timeval *time, u64 *ns) {
    if (time->tv_sec < 0 || (u64)time->tv_usec >= SECOND / MICROSECOND) return -EINVAL;
    *ns = NEVER;
    if ((u64)time->tv_sec < NEVER / SECOND - 1)
        *ns = (u64)time->tv_sec * SECOND + (u64)time->tv_usec * MICROSECOND;
    return 0;
}

static struct __kernel_old_timeval timeval_of(u64 ns) {
    return (struct __kernel_old_timeval){(s64)(ns / SECOND), (s64)(ns % SECOND / MICROSECOND)};
}

static s64 alarm_put_timer(u64 to, struct timer timer) {
    struct __kernel_old_itimerval value = {timeval_of(timer.interval), timeval_of(timer.left)};
    return put_user(user(to), &value, sizeof value);
}

// getitimer(int which, value)
s64 call_getitimer(struct thread *thread, const u64 *arg) {
    int which = (int)arg[0];
    if (which != ITIMER_REAL && which != ITIMER_VIRTUAL && which != ITIMER_PROF) return -EINVAL;
    return alarm_put_timer(arg[1], alarm_set(&thread->process->alarms[which], NULL, false));
}

// setitimer(int which, new, old): no new one means none, as on Linux.
s64 call_setitimer(struct thread *thread, const u64 *arg) {
    int which = (int)arg[0];
    struct __kernel_old_itimerval value = {0};
    struct timer wanted;
    struct timer before;
    if (arg[1] && !copy_from_user(&value, user(arg[1]), sizeof value)) return -EFAULT;
    if (timeval_get(&value.it_value, &wanted.left) ||
        timeval_get(&value.it_interval, &wanted.interval))
        return -EINVAL;
    if (which != ITIMER_REAL && which != ITIMER_VIRTUAL && which != ITIMER_PROF) return -EINVAL;
    before = alarm_set(&thread->process->alarms[which], &wanted, false);
    if (!arg[2]) return 0;
    return alarm_put_timer(arg[2], before);
}
