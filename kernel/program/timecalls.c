// Calls about time: clocks, sleeping, and the futex, whose waits are sleeps too.
#include <linux/futex.h>
#include <linux/resource.h>
#include <linux/time.h>
#include <linux/times.h>
#include "kernel/cpu/time.h"
#include "kernel/device/devices.h"
#include "kernel/lib/string.h"
#include "kernel/program/calls.h"
#include "kernel/program/program.h"

#define SECOND    1000000000ull
#define TICK      (SECOND / 100) // of times()
#define CLOCK_TAI 11

static u64 cpu_time_ns(void) { return time_now_ns() - program.started_ns - thread_idle_ns(); }

// False for a clock that Linux has not either, or that is not built (alarm clocks, other processes).
static bool clock_read(u64 clock, u64 *ns)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
        *ns = time_wall_ns();
        return true;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        *ns = time_now_ns();
        return true;
    case CLOCK_PROCESS_CPUTIME_ID:
    case CLOCK_THREAD_CPUTIME_ID:
        *ns = cpu_time_ns();
        return true;
    }
    return false;
}

static s64 put_time(u64 to, u64 ns)
{
    struct timespec time = {(long)(ns / SECOND), (long)(ns % SECOND)};
    return copy_to_user(to, &time, sizeof time) ? 0 : -EFAULT;
}

s64 time_get(u64 from, u64 *ns)
{
    struct timespec time;
    if (!copy_from_user(&time, from, sizeof time)) return -EFAULT;
    if (time.tv_sec < 0 || (u64)time.tv_nsec >= SECOND) return -EINVAL;
    bool far = (u64)time.tv_sec >= NEVER / SECOND - 1;
    *ns = far ? NEVER : (u64)time.tv_sec * SECOND + (u64)time.tv_nsec;
    return 0;
}

CALL(clock_gettime)
{
    u64 ns;
    return clock_read(arg[0], &ns) ? put_time(arg[1], ns) : -EINVAL;
}

CALL(clock_getres)
{
    u64 ns;
    if (!clock_read(arg[0], &ns)) return -EINVAL;
    return arg[1] ? put_time(arg[1], 1) : 0;
}

CALL(gettimeofday)
{
    u64 ns = time_wall_ns();
    struct timeval time = {(long)(ns / SECOND), (long)(ns % SECOND / 1000)};
    if (arg[0] && !copy_to_user(arg[0], &time, sizeof time)) return -EFAULT;
    return arg[1] && !clear_user(arg[1], 8) ? -EFAULT : 0; // struct timezone: UTC
}

CALL(time)
{
    s64 seconds = (s64)(time_wall_ns() / SECOND);
    return arg[0] && !copy_to_user(arg[0], &seconds, sizeof seconds) ? -EFAULT : seconds;
}

static s64 sleep(struct thread *thread, u64 ns) { return thread_deadline(thread, ns) ? 0 : CALL_WAITS; }

CALL(nanosleep)
{
    u64 ns;
    s64 error = time_get(arg[0], &ns);
    return error ? error : sleep(thread, ns);
}

// clock_nanosleep(clock, flags, time, left): nothing interrupts a sleep but death, so left is never written.
CALL(clock_nanosleep)
{
    u64 ns, now;
    s64 error = time_get(arg[2], &ns);
    if (arg[0] == CLOCK_THREAD_CPUTIME_ID || !clock_read(arg[0], &now)) return -EINVAL;
    if (error) return error;
    if (arg[1] & TIMER_ABSTIME) ns = ns > now ? ns - now : 0;
    return sleep(thread, ns);
}

CALL(times)
{
    struct tms times = {.tms_utime = (long)(cpu_time_ns() / TICK)};
    if (arg[0] && !copy_to_user(arg[0], &times, sizeof times)) return -EFAULT;
    return (s64)(time_now_ns() / TICK);
}

CALL(getrusage)
{
    struct rusage usage;
    memset(&usage, 0, sizeof usage);
    u64 ns = (s64)arg[0] == RUSAGE_CHILDREN ? 0 : cpu_time_ns();
    usage.ru_utime.tv_sec = (long)(ns / SECOND);
    usage.ru_utime.tv_usec = (long)(ns % SECOND / 1000);
    return copy_to_user(arg[1], &usage, sizeof usage) ? 0 : -EFAULT;
}

CALL(sched_yield) { return 0; }

// The timeout of a futex wait, from now: relative for WAIT, absolute on one of two clocks for WAIT_BITSET.
static s64 futex_timeout(u64 operation, u64 from, u64 *ns)
{
    *ns = NEVER;
    s64 error = from ? time_get(from, ns) : 0;
    if (error || !from || (operation & FUTEX_CMD_MASK) == FUTEX_WAIT) return error;
    u64 now = operation & FUTEX_CLOCK_REALTIME ? time_wall_ns() : time_now_ns();
    *ns = *ns > now ? *ns - now : 0;
    return 0;
}

// futex(word, operation, value, timeout, word 2, bits). There is one thread: nobody waits when it wakes, and nobody
// wakes it when it waits but time.
CALL(futex)
{
    u32 word;
    u64 command = arg[1] & FUTEX_CMD_MASK, ns;
    bool has_bits = command == FUTEX_WAIT_BITSET || command == FUTEX_WAKE_BITSET;
    if (arg[0] % sizeof word || (has_bits && !(u32)arg[5])) return -EINVAL;
    if (command == FUTEX_WAKE || command == FUTEX_WAKE_BITSET) return 0;
    if (command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET) return -ENOSYS;
    s64 error = futex_timeout(arg[1], arg[3], &ns);
    if (error) return error;
    if (!copy_from_user(&word, arg[0], sizeof word)) return -EFAULT;
    if (word != (u32)arg[2]) return -EAGAIN;
    return thread_deadline(thread, ns) ? -ETIMEDOUT : CALL_WAITS;
}
