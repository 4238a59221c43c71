// The clocks by their ids, and sleeping on them. An id below 0 names the CPU clock of a process or
// a thread, as clock_getcpuclockid() and pthread_getcpuclockid() make it: ~number << 3, then 4 for
// a thread, then which time. The kernel does not count its own time apart, so the three times (2:
// on CPUs, 1: in user mode, 0: in both) are one.
#include <linux/time.h>
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/time.h"
#include "kernel/device/devices.h"
#include "kernel/process/clocks.h"

#define SECOND          1000000000ull
#define CPU_CLOCK_TIMES 3u
#define CPU_CLOCK_FILE  3u // in place of a time: a clock of a device, by a file
#define CPU_CLOCK_ONE   4u // of a thread
// ns between two looks at a CPU clock, at least; Linux looks every 1 to 10 ms
#define CPU_CLOCK_STEP 1000000

// Raw and coarse clocks are no others here, the machine never sleeps, and TAI is UTC until somebody
// tells the kernel by how many seconds they differ.
static const u8 clocks[] = {
    [CLOCK_REALTIME] = CLOCK_WALL,
    [CLOCK_MONOTONIC] = CLOCK_BOOT,
    [CLOCK_PROCESS_CPUTIME_ID] = CLOCK_PROCESS,
    [CLOCK_THREAD_CPUTIME_ID] = CLOCK_ONE_THREAD,
    [CLOCK_MONOTONIC_RAW] = CLOCK_BOOT,
    [CLOCK_REALTIME_COARSE] = CLOCK_WALL,
    [CLOCK_MONOTONIC_COARSE] = CLOCK_BOOT,
    [CLOCK_BOOTTIME] = CLOCK_BOOT,
    [CLOCK_REALTIME_ALARM] = CLOCK_WALL,
    [CLOCK_BOOTTIME_ALARM] = CLOCK_BOOT,
    [CLOCK_TAI] = CLOCK_WALL,
};
// By which Linux lets nobody sleep.
#define SLEEPLESS                                                                                  \
    (1u << CLOCK_THREAD_CPUTIME_ID | 1u << CLOCK_MONOTONIC_RAW | 1u << CLOCK_REALTIME_COARSE |     \
     1u << CLOCK_MONOTONIC_COARSE)

// An id below 0. Only who reads a process's clock may name it by his own thread's number.
static struct clock_id clock_of_cpu(const struct thread *thread, int id, bool reads) {
    u32 number = ~((u32)id >> 3 | 7u << 29); // as a signed shift would leave it
    if (((u32)id & CPU_CLOCK_TIMES) == CPU_CLOCK_FILE) return (struct clock_id){CLOCK_NONE, 0};
    if ((u32)id & CPU_CLOCK_ONE) {
        u32 tid = thread->tid;
        if (number) tid = number;
        if (!thread_exists(tid)) return (struct clock_id){CLOCK_NONE, tid};
        return (struct clock_id){CLOCK_ONE_THREAD, tid};
    }
    bool is_ours = number == 0 || number == thread->process->id || (reads && number == thread->tid);
    if (!is_ours) return (struct clock_id){CLOCK_NONE, 0};
    return (struct clock_id){CLOCK_PROCESS, 0};
}

static struct clock_id clock_find(const struct thread *thread, int id, bool reads) {
    if (id < 0) return clock_of_cpu(thread, id, reads);
    enum clock_kind kind = CLOCK_NONE;
    if ((u32)id < ARRAY_SIZE(clocks)) kind = clocks[id];
    return (struct clock_id){kind, thread->tid};
}

struct clock_id clock_by_id(const struct thread *thread, int id) {
    return clock_find(thread, id, false);
}

// False when the thread has ended.
static bool clock_of_thread(const struct thread *self, u32 tid, u64 *ns) {
    if (tid == self->tid) {
        *ns = time_tsc_to_ns(thread_time(self));
        return true;
    }
    lock_take(&threads_lock);
    const struct thread *other = thread_find(tid);
    u64 ticks = 0;
    if (other) ticks = thread_time(other);
    lock_give(&threads_lock);
    *ns = time_tsc_to_ns(ticks);
    return other;
}

// False: there is no such clock, or no such thread any more.
static bool clock_read(const struct thread *thread, struct clock_id clock, u64 *ns) {
    switch (clock.kind) {
    case CLOCK_WALL: *ns = time_wall_ns(); return true;
    case CLOCK_BOOT: *ns = time_now_ns(); return true;
    case CLOCK_PROCESS: *ns = time_tsc_to_ns(process_usage(thread->process).ticks); return true;
    case CLOCK_ONE_THREAD: return clock_of_thread(thread, clock.tid, ns);
    default: return false;
    }
}

bool clock_now(const struct thread *thread, int id, u64 *ns) {
    return clock_read(thread, clock_find(thread, id, true), ns);
}

bool clock_exists(const struct thread *thread, int id) {
    return clock_find(thread, id, false).kind != CLOCK_NONE;
}

// ---- times in the program's memory ----

// Seconds and a fraction in units of so many ns: struct timespec has 1, struct timeval 1000.
static s64 clock_put(uaddr to, u64 ns, u64 unit) {
    s64 time[2] = {(s64)(ns / SECOND), (s64)(ns % SECOND / unit)};
    return put_user(to, time, sizeof time);
}

s64 time_put(uaddr to, u64 ns) { return clock_put(to, ns, 1); }

s64 time_get(uaddr from, u64 *ns) {
    s64 time[2];
    if (!copy_from_user(time, from, sizeof time)) return -EFAULT;
    if (time[0] < 0 || (u64)time[1] >= SECOND) return -EINVAL;
    *ns = NEVER;
    if ((u64)time[0] < NEVER / SECOND - 1) *ns = (u64)time[0] * SECOND + (u64)time[1];
    return 0;
}

s64 clock_tell_time_of_day(uaddr time, uaddr zone) {
    if (time.at) {
        s64 error = clock_put(time, time_wall_ns(), 1000);
        if (error) return error;
    }
    if (zone.at && !clear_user(zone, sizeof(struct timezone))) return -EFAULT; // zeroes are UTC
    return 0;
}

s64 clock_tell_seconds(uaddr to) {
    s64 seconds = (s64)(time_wall_ns() / SECOND);
    if (to.at && !copy_to_user(to, &seconds, sizeof seconds)) return -EFAULT;
    return seconds;
}

// ---- sleeping ----

// A CPU clock goes on as fast as there are CPUs at most: so long nobody needs to look at it again.
// Then what is left is at most halved, when half of them ran, and so on until it is little.
static s64 clock_sleep_by_cpu_time(struct thread *thread, struct clock_id clock) {
    u64 now;
    u64 cpus = 1;
    if (clock.kind == CLOCK_PROCESS) cpus = cpus_expected();
    thread->deadline = NEVER; // which is right when the thread has ended: its clock stands still
    if (!clock_read(thread, clock, &now)) return CALL_WAITS;
    if (now >= thread->cpu_deadline) return 0;
    u64 least = (thread->cpu_deadline - now) / cpus;
    u64 when = time_now_ns() + MAX(least, CPU_CLOCK_STEP);
    if (thread->cpu_deadline != NEVER && when > least) thread->deadline = when;
    return CALL_WAITS;
}

s64 clock_of_sleep(const struct thread *thread, int id, struct clock_id *clock) {
    *clock = clock_find(thread, id, false);
    if (thread->has_deadline) {
        if (clock->kind == CLOCK_NONE) clock->kind = CLOCK_ONE_THREAD; // which has ended since
        return 0;
    }
    if (id >= 0 && clock->kind == CLOCK_NONE) return -EINVAL;
    bool sleepless = ((u32)id & (CPU_CLOCK_ONE | CPU_CLOCK_TIMES)) == CPU_CLOCK_FILE;
    if (id >= 0) sleepless = SLEEPLESS >> id & 1;
    if (sleepless) return -EOPNOTSUPP;
    return 0;
}

// What is left to sleep, or the CPU time at its end, is then in the thread's record.
s64 clock_sleep_begin(struct thread *thread, struct clock_id clock, u64 ns, bool absolute) {
    u64 now;
    // The thread's own would stand still for ever.
    bool is_own = clock.kind == CLOCK_ONE_THREAD && clock.tid == thread->tid;
    if (is_own || !clock_read(thread, clock, &now)) return -EINVAL;
    u64 end = ns;
    if (!absolute && ns <= NEVER - now) end = now + ns;
    u64 left = ns;
    if (absolute) left = ns - MIN(now, ns);
    thread->cpu_deadline = end;
    (void)thread_deadline(thread, left);
    return 0;
}

s64 clock_sleep(struct thread *thread, struct clock_id clock) {
    if (clock.kind == CLOCK_PROCESS || clock.kind == CLOCK_ONE_THREAD)
        return clock_sleep_by_cpu_time(thread, clock);
    if (thread_deadline(thread, 0)) return 0;
    return CALL_WAITS;
}

u64 clock_sleep_left(const struct thread *thread, struct clock_id clock) {
    u64 end = thread->deadline;
    u64 now = time_now_ns();
    bool is_cpu = clock.kind == CLOCK_PROCESS || clock.kind == CLOCK_ONE_THREAD;
    if (is_cpu) {
        end = thread->cpu_deadline;
        if (!clock_read(thread, clock, &now)) return 0;
    }
    return end - MIN(now, end);
}
