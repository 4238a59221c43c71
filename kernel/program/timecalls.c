// Calls about time: clocks, sleeping, and the futex, whose waits are sleeps too.
#include <linux/futex.h>
#include <linux/resource.h>
#include <linux/time.h>
#include <linux/times.h>
#include "kernel/cpu/time.h"
#include "kernel/device/devices.h"
#include "kernel/kernel.h"
#include "kernel/program/calls.h"
#include "kernel/program/program.h"

#define SECOND    1000000000ull
#define TICK      (SECOND / 100) // of times()
#define CLOCK_TAI 11

static u64 cpu_time_ns(void) {
    u64 ns = time_tsc_to_ns(tsc() - program.boot->tsc[STAGE_PROGRAM]), idle = thread_idle_ns();
    return ns > idle ? ns - idle : 0; // two measures of time, which may differ a little
}

// False for a clock that Linux has not either, or that is not built (alarm clocks, other processes).
static bool clock_read(u64 clock, u64 *ns) {
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI: *ns = time_wall_ns(); return true;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME: *ns = time_now_ns(); return true;
    case CLOCK_PROCESS_CPUTIME_ID:
    case CLOCK_THREAD_CPUTIME_ID: *ns = cpu_time_ns(); return true;
    }
    return false;
}

// Seconds and a fraction of so many ns: struct timespec has 1, struct timeval 1000. Nowhere is fine too.
static s64 put_time(u64 to, u64 ns, u64 unit) {
    s64 time[2] = {(s64)(ns / SECOND), (s64)(ns % SECOND / unit)};
    return !to || copy_to_user(to, time, sizeof time) ? 0 : -EFAULT;
}

s64 time_get(u64 from, u64 *ns) {
    s64 time[2];
    if (!copy_from_user(time, from, sizeof time)) return -EFAULT;
    if (time[0] < 0 || (u64)time[1] >= SECOND) return -EINVAL;
    *ns = (u64)time[0] >= NEVER / SECOND - 1 ? NEVER : (u64)time[0] * SECOND + (u64)time[1];
    return 0;
}

CALL(clock_gettime) {
    u64 ns;
    return !clock_read(arg[0], &ns) ? -EINVAL : arg[1] ? put_time(arg[1], ns, 1) : -EFAULT;
}

CALL(clock_getres) {
    u64 ns;
    return clock_read(arg[0], &ns) ? put_time(arg[1], 1, 1) : -EINVAL;
}

CALL(gettimeofday) {
    s64 error = put_time(arg[0], time_wall_ns(), 1000);
    return error ? error : arg[1] && !clear_user(arg[1], sizeof(struct timezone)) ? -EFAULT : 0; // UTC
}

CALL(time) {
    s64 seconds = (s64)(time_wall_ns() / SECOND);
    return arg[0] && !copy_to_user(arg[0], &seconds, sizeof seconds) ? -EFAULT : seconds;
}

CALL(nanosleep) {
    u64 ns;
    s64 error = time_get(arg[0], &ns);
    return error ? error : thread_deadline(thread, ns) ? 0 : CALL_WAITS;
}

// clock_nanosleep(clock, flags, time, left): nothing interrupts a sleep but death, so left is never written.
CALL(clock_nanosleep) {
    u64 ns, now;
    s64 error = time_get(arg[2], &ns);
    if (error || arg[0] == CLOCK_THREAD_CPUTIME_ID || !clock_read(arg[0], &now)) return error ? error : -EINVAL;
    if (arg[1] & TIMER_ABSTIME) ns = ns > now ? ns - now : 0;
    return thread_deadline(thread, ns) ? 0 : CALL_WAITS;
}

CALL(times) {
    struct tms times = {.tms_utime = (long)(cpu_time_ns() / TICK)};
    return !arg[0] || copy_to_user(arg[0], &times, sizeof times) ? (s64)(time_now_ns() / TICK) : -EFAULT;
}

// getrusage(who, usage): the time comes first, the rest is zero.
CALL(getrusage) {
    if (!clear_user(arg[1], sizeof(struct rusage))) return -EFAULT;
    return put_time(arg[1], (s64)arg[0] == RUSAGE_CHILDREN ? 0 : cpu_time_ns(), 1000);
}

CALL(sched_yield) { return 0; }

// futex(word, operation, value, timeout, word 2, bits). There is one thread: nobody waits when it wakes, and nobody
// wakes it when it waits but time. The timeout of WAIT counts from now; that of WAIT_BITSET is a time on a clock.
CALL(futex) {
    u32 word;
    u64 command = arg[1] & FUTEX_CMD_MASK, ns = NEVER, now = 0;
    bool with_bits = command == FUTEX_WAIT_BITSET || command == FUTEX_WAKE_BITSET;
    if (arg[0] % sizeof word || (with_bits && !(u32)arg[5])) return -EINVAL;
    if (command == FUTEX_WAKE || command == FUTEX_WAKE_BITSET) return 0;
    if (command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET) return -ENOSYS;
    s64 error = arg[3] ? time_get(arg[3], &ns) : 0;
    if (error) return error;
    if (with_bits && arg[3]) now = arg[1] & FUTEX_CLOCK_REALTIME ? time_wall_ns() : time_now_ns();
    if (!copy_from_user(&word, arg[0], sizeof word)) return -EFAULT;
    if (word != (u32)arg[2]) return -EAGAIN;
    if (ns == NEVER && !thread->has_deadline) log("the program waits for another thread, and there is none");
    return thread_deadline(thread, ns > now ? ns - now : 0) ? -ETIMEDOUT : CALL_WAITS;
}
