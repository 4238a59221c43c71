// Policies and priorities of scheduling, and CPUs that threads run on. All threads are equal: what
// asks for a real-time policy is refused; nice values and the policies of ordinary threads are kept
// for whoever asks, and change nothing.
#include <linux/resource.h>
#include <linux/sched.h>
#include "kernel/cpu/cpus.h"
#include "kernel/lib/string.h"
#include "kernel/call/call.h"

// sched_param of Linux, whose newer headers do not have it.
struct parameters {
    int sched_priority;
};

#define NICE_LOWEST      (-20)
#define NICE_HIGHEST     19
#define REALTIME_LOWEST  1
#define REALTIME_HIGHEST 99

// What is kept of a thread, 0 being the current one. wanted: what is kept from now on, or NULL.
// False: no such thread.
static bool priority_of_thread(struct thread *current, int tid, struct priority *kept,
                               const struct priority *wanted) {
    lock_take(&threads_lock);
    struct thread *thread = current;
    if (tid) thread = thread_find((u32)tid);
    if (thread) *kept = thread->priority;
    if (thread && wanted) thread->priority = *wanted;
    lock_give(&threads_lock);
    return thread;
}

static bool priority_is_realtime(int policy) { return policy == SCHED_FIFO || policy == SCHED_RR; }

static bool priority_is_ordinary(int policy) {
    return policy == SCHED_NORMAL || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

// sched_setscheduler(int thread, int policy, param), and sched_setparam with the policy it has.
static s64 priority_set_policy(struct thread *thread, int tid, const int *policy, u64 param_at) {
    struct parameters param;
    struct priority kept;
    if (tid < 0 || !param_at) return -EINVAL;
    if (!copy_from_user(&param, user(param_at), sizeof param)) return -EFAULT;
    if (!priority_of_thread(thread, tid, &kept, NULL)) return -ESRCH;
    int wanted = kept.policy;
    if (policy) wanted = *policy & ~SCHED_RESET_ON_FORK;
    bool realtime = priority_is_realtime(wanted);
    if (!realtime && !priority_is_ordinary(wanted)) return -EINVAL;
    if (param.sched_priority < 0 || param.sched_priority > REALTIME_HIGHEST) return -EINVAL;
    if (realtime != (param.sched_priority != 0)) return -EINVAL;
    if (realtime)
        return refused("sched_setscheduler", "policy", (u64)wanted, "no real-time policy is built",
                       -EPERM);
    const struct priority changed = {kept.nice, (u8)wanted};
    if (!priority_of_thread(thread, tid, &kept, &changed)) return -ESRCH;
    return 0;
}

s64 call_sched_setscheduler(struct thread *thread, const u64 *arg) {
    int policy = (int)arg[1];
    if (policy < 0) return -EINVAL;
    return priority_set_policy(thread, (int)arg[0], &policy, arg[2]);
}

s64 call_sched_setparam(struct thread *thread, const u64 *arg) {
    return priority_set_policy(thread, (int)arg[0], NULL, arg[1]);
}

// sched_getscheduler(int thread)
s64 call_sched_getscheduler(struct thread *thread, const u64 *arg) {
    struct priority kept;
    if ((int)arg[0] < 0) return -EINVAL;
    if (!priority_of_thread(thread, (int)arg[0], &kept, NULL)) return -ESRCH;
    return kept.policy;
}

// sched_getparam(int thread, param)
s64 call_sched_getparam(struct thread *thread, const u64 *arg) {
    const struct parameters param = {0};
    struct priority kept;
    if ((int)arg[0] < 0 || !arg[1]) return -EINVAL;
    if (!priority_of_thread(thread, (int)arg[0], &kept, NULL)) return -ESRCH;
    return put_user(user(arg[1]), &param, sizeof param);
}

// sched_get_priority_max(int policy), and _min
static s64 priority_limit(int policy, int realtime) {
    if (priority_is_realtime(policy)) return realtime;
    if (priority_is_ordinary(policy) || policy == SCHED_DEADLINE) return 0;
    return -EINVAL;
}

s64 call_sched_get_priority_max(struct thread *thread, const u64 *arg) {
    return priority_limit((int)arg[0], REALTIME_HIGHEST);
}
s64 call_sched_get_priority_min(struct thread *thread, const u64 *arg) {
    return priority_limit((int)arg[0], REALTIME_LOWEST);
}

// Groups and users: the process's own are all there are, and what the current thread has stands for
// all.
static bool priority_is_ours(int which, int who) {
    return who == 0 || (which == PRIO_PGRP && who == 1);
}

// setpriority(int which, int who, int nice)
s64 call_setpriority(struct thread *thread, const u64 *arg) {
    int which = (int)arg[0];
    int who = (int)arg[1];
    int nice = MIN(MAX((int)arg[2], NICE_LOWEST), NICE_HIGHEST);
    struct priority kept;
    if (which < PRIO_PROCESS || which > PRIO_USER) return -EINVAL;
    if (which != PRIO_PROCESS && !priority_is_ours(which, who)) return -ESRCH;
    if (which != PRIO_PROCESS) who = 0;
    if (!priority_of_thread(thread, who, &kept, NULL)) return -ESRCH;
    const struct priority changed = {(s8)nice, kept.policy};
    if (!priority_of_thread(thread, who, &kept, &changed)) return -ESRCH;
    return 0;
}

// getpriority(int which, int who): 1 to 40, so that it is no error.
s64 call_getpriority(struct thread *thread, const u64 *arg) {
    int which = (int)arg[0];
    int who = (int)arg[1];
    struct priority kept;
    if (which < PRIO_PROCESS || which > PRIO_USER) return -EINVAL;
    if (which != PRIO_PROCESS && !priority_is_ours(which, who)) return -ESRCH;
    if (which != PRIO_PROCESS) who = 0;
    if (!priority_of_thread(thread, who, &kept, NULL)) return -ESRCH;
    return NICE_HIGHEST + 1 - kept.nice;
}

// sched_setaffinity(int thread, unsigned bytes, mask): every thread runs on all CPUs, which a mask
// may say.
s64 call_sched_setaffinity(struct thread *thread, const u64 *arg) {
    u64 mask[CPUS_MAX / 64] = {0};
    u64 bytes = MIN((u32)arg[1], sizeof mask);
    unsigned cpus = cpus_expected();
    unsigned chosen = 0;
    struct priority kept;
    if (!copy_from_user(mask, user(arg[2]), bytes)) return -EFAULT;
    if (!priority_of_thread(thread, (int)arg[0], &kept, NULL)) return -ESRCH;
    for (unsigned cpu = 0; cpu < cpus; cpu++) chosen += mask[cpu / 64] >> cpu % 64 & 1;
    if (!chosen) return -EINVAL;
    if (chosen == cpus) return 0;
    return refused("sched_setaffinity", "a number of CPUs,", chosen, "threads run on all of them",
                   -EINVAL);
}

// sched_getaffinity(thread, bytes, mask): all CPUs, also those that are still to come, since
// programs ask once. Returns how many bytes it wrote.
s64 call_sched_getaffinity(struct thread *thread, const u64 *arg) {
    unsigned cpus = cpus_expected();
    u64 mask[CPUS_MAX / 64] = {0}, bytes = ROUND_UP(cpus, 64) / 8;
    if ((u32)arg[1] < bytes || (u32)arg[1] % sizeof mask[0]) return -EINVAL;
    if ((u32)arg[0] && !thread_exists((u32)arg[0])) return -ESRCH;
    for (unsigned cpu = 0; cpu < cpus; cpu++) mask[cpu / 64] |= 1ull << cpu % 64;
    if (!copy_to_user(user(arg[2]), mask, bytes)) return -EFAULT;
    return (s64)bytes;
}

s64 call_sched_yield(struct thread *thread, const u64 *arg) {
    scheduler_yield();
    return 0;
}
