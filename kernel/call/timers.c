// timer_create(2) and its like.
#include <asm/siginfo.h>
#include <linux/signal.h>
#include <linux/time.h>
#include "kernel/call/call.h"
#include "kernel/cpu/time.h"
#include "kernel/device/devices.h"
#include "kernel/lib/string.h"

#define EVENT_BYTES 64 // of struct sigevent

struct sigevent_start { // its beginning
    u64 value;
    s32 signal, notify, thread;
};

// Whom it tells, and of what. 0 or -EINVAL.
static s64 timer_event(struct thread *thread, const struct sigevent_start *event,
                       struct alarm *alarm) {
    alarm->info = (struct signal_info){.signal = event->signal, .code = SI_TIMER};
    alarm->info.data[1] = event->value;
    alarm->is_silent = event->notify == SIGEV_NONE;
    if (alarm->is_silent) return 0;
    bool is_to_one = event->notify & SIGEV_THREAD_ID;
    s32 kind = event->notify & ~SIGEV_THREAD_ID;
    if ((kind != SIGEV_SIGNAL && kind != SIGEV_THREAD) || event->signal <= 0) return -EINVAL;
    if (event->signal > SIGNALS) return -EINVAL;
    if (!is_to_one) return 0;
    lock_take(&threads_lock);
    const struct thread *to = thread_find((u32)event->thread);
    bool is_own = to && to->process == thread->process;
    lock_give(&threads_lock);
    alarm->tid = (u32)event->thread;
    if (!is_own) return -EINVAL;
    return 0;
}

static s64 timer_clock(struct thread *thread, int clock, struct alarm *alarm) {
    alarm->wall = clock == CLOCK_REALTIME || clock == CLOCK_TAI;
    if (alarm->wall || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME) return 0;
    if (!clock_exists(thread, clock)) return -EINVAL;
    const struct clock_id of = clock_by_id(thread, clock);
    bool is_raw = clock > CLOCK_THREAD_CPUTIME_ID;
    alarm->clock = ALARM_PROCESS;
    if (of.kind == CLOCK_PROCESS) return 0;
    alarm->clock = ALARM_THREAD;
    alarm->clock_tid = of.tid;
    if (of.kind == CLOCK_ONE_THREAD && !is_raw) return 0;
    return refused("timer_create", "clock", (u32)clock, "timers of it are not built", -EOPNOTSUPP);
}

// timer_create(int clock, event, where its number goes)
s64 call_timer_create(struct thread *thread, const u64 *arg) {
    struct alarm alarm = {0};
    u64 bytes[EVENT_BYTES / sizeof(u64)];
    struct sigevent_start event = {.signal = SIGALRM, .notify = SIGEV_SIGNAL};
    s64 error = timer_clock(thread, (int)arg[0], &alarm);
    if (error) return error;
    if (arg[1]) {
        if (!copy_from_user(bytes, user(arg[1]), sizeof bytes)) return -EFAULT;
        memcpy(&event, bytes, sizeof event);
    }
    error = timer_event(thread, &event, &alarm);
    if (error) return error;
    s64 number = alarm_make(thread->process, &alarm);
    if (number < 0) return number;
    s32 id = (s32)number;
    struct alarm *made = alarm_find(thread->process, (u32)number);
    if (!arg[1]) made->info.data[1] = (u32)number; // as Linux
    if (copy_to_user(user(arg[2]), &id, sizeof id)) return 0;
    alarm_delete(made);
    return -EFAULT;
}

static s64 timer_tell(u64 to, struct timer timer) {
    s64 error = time_put(user(to), timer.interval);
    if (error) return error;
    return time_put(user(to + 16), timer.left);
}

// timer_settime(int timer, flags, new, old)
s64 call_timer_settime(struct thread *thread, const u64 *arg) {
    struct timer wanted;
    bool is_absolute = arg[1] & TIMER_ABSTIME;
    if (!arg[2]) return -EINVAL;
    s64 error = time_get(user(arg[2]), &wanted.interval);
    if (!error) error = time_get(user(arg[2] + 16), &wanted.left);
    if (error) return error;
    struct alarm *alarm = alarm_find(thread->process, (u32)arg[0]);
    if (!alarm) return -EINVAL;
    // A time on the wall is one since the start for us; what has passed rings at once.
    u64 ahead = 0;
    if (is_absolute && alarm->wall) ahead = time_wall_ns() - time_now_ns();
    if (wanted.left) wanted.left = MAX(wanted.left, ahead + 1) - ahead;
    const struct timer before = alarm_set(alarm, &wanted, is_absolute);
    if (!arg[3]) return 0;
    return timer_tell(arg[3], before);
}

// timer_gettime(int timer, value)
s64 call_timer_gettime(struct thread *thread, const u64 *arg) {
    struct alarm *alarm = alarm_find(thread->process, (u32)arg[0]);
    if (!alarm) return -EINVAL;
    return timer_tell(arg[1], alarm_set(alarm, NULL, false));
}

s64 call_timer_getoverrun(struct thread *thread, const u64 *arg) {
    const struct alarm *alarm = alarm_find(thread->process, (u32)arg[0]);
    if (!alarm) return -EINVAL;
    return alarm->overrun;
}

s64 call_timer_delete(struct thread *thread, const u64 *arg) {
    struct alarm *alarm = alarm_find(thread->process, (u32)arg[0]);
    if (!alarm) return -EINVAL;
    alarm_delete(alarm);
    return 0;
}
