// The limits of the process (getrlimit(2)): kept as they are given, and asked by who enforces them.
// The program is Linux's root, which may raise every limit again, locks as much memory and makes as
// many threads as it likes.
#include <linux/resource.h>
#include "kernel/cpu/lock.h"
#include "kernel/file/descriptors.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/process/program.h"

#define CORE_LIMIT    0            // no core files are written
#define THREADS_LIMIT 0x7fffffff   // as many as there is memory for
#define LOCKED_LIMIT  (8ull << 20) // Linux's defaults from here on
#define QUEUED_LIMIT  819200
#define SIGNALS_LIMIT 0x7fffffff

_Static_assert(LIMITS == RLIM_NLIMITS, "those of Linux");
static const struct limit first[LIMITS] = {
    [RLIMIT_CPU] = {RLIM64_INFINITY, RLIM64_INFINITY},
    [RLIMIT_FSIZE] = {RLIM64_INFINITY, RLIM64_INFINITY},
    [RLIMIT_DATA] = {RLIM64_INFINITY, RLIM64_INFINITY},
    [RLIMIT_STACK] = {STACK_BYTES, RLIM64_INFINITY},
    [RLIMIT_CORE] = {CORE_LIMIT, RLIM64_INFINITY},
    [RLIMIT_RSS] = {RLIM64_INFINITY, RLIM64_INFINITY},
    [RLIMIT_NPROC] = {THREADS_LIMIT, THREADS_LIMIT},
    [RLIMIT_NOFILE] = {FILES_MAX, FILES_MAX},
    [RLIMIT_MEMLOCK] = {LOCKED_LIMIT, LOCKED_LIMIT},
    [RLIMIT_AS] = {RLIM64_INFINITY, RLIM64_INFINITY},
    [RLIMIT_LOCKS] = {RLIM64_INFINITY, RLIM64_INFINITY},
    [RLIMIT_SIGPENDING] = {SIGNALS_LIMIT, SIGNALS_LIMIT},
    [RLIMIT_MSGQUEUE] = {QUEUED_LIMIT, QUEUED_LIMIT},
    [RLIMIT_RTTIME] = {RLIM64_INFINITY, RLIM64_INFINITY},
};

void limits_init(struct limits *limits, const struct limits *like) {
    limits->lock.rank = LOCK_LIMITS;
    memcpy(limits->of, like ? like->of : first, sizeof first);
}

// Those that Linux would enforce against root, too, and nobody here does.
static void limit_say_unenforced(u32 resource, const struct rlimit64 *wanted) {
    static bool said[2];
    bool is_cpu = resource == RLIMIT_CPU;
    if ((!is_cpu && resource != RLIMIT_RTTIME) || wanted->rlim_cur == RLIM64_INFINITY) return;
    if (__atomic_exchange_n(&said[is_cpu], true, __ATOMIC_RELAXED)) return;
    log("the program set a limit of %llu for its time on CPUs (resource %u): it is kept, and no "
        "signal is sent for it",
        wanted->rlim_cur, resource);
}

s64 limit_change(struct limits *limits, u32 resource, const struct rlimit64 *wanted,
                 struct rlimit64 *before) {
    if (resource >= RLIM_NLIMITS || (wanted && wanted->rlim_cur > wanted->rlim_max)) return -EINVAL;
    if (wanted && resource == RLIMIT_NOFILE && wanted->rlim_max > FILES_MAX)
        return refused("setrlimit", "RLIMIT_NOFILE", wanted->rlim_max, "there are no more numbers",
                       -EPERM);
    struct limit *limit = &limits->of[resource];
    lock_take(&limits->lock);
    *before = (struct rlimit64){limit->soft, limit->hard};
    if (wanted) {
        __atomic_store_n(&limit->soft, wanted->rlim_cur, __ATOMIC_RELAXED);
        __atomic_store_n(&limit->hard, wanted->rlim_max, __ATOMIC_RELAXED);
    }
    lock_give(&limits->lock);
    if (wanted) limit_say_unenforced(resource, wanted);
    return 0;
}
