// getrlimit(2), and what sets limits. They are the process's, whichever thread is named.
#include <linux/resource.h>
#include "kernel/call/call.h"

static bool limit_is_own(u32 pid) { return !pid || thread_exists(pid); }

// prlimit64(process, or a thread of it, resource, new, old)
s64 call_prlimit64(struct thread *thread, const u64 *arg) {
    struct rlimit64 wanted, before;
    const struct rlimit64 *asked = NULL;
    if (arg[2]) {
        if (!copy_from_user(&wanted, user(arg[2]), sizeof wanted)) return -EFAULT;
        asked = &wanted;
    }
    if (!limit_is_own((u32)arg[0])) return -ESRCH;
    s64 error = limit_change(&thread->process->limits, (u32)arg[1], asked, &before);
    if (error || !arg[3]) return error;
    return put_user(user(arg[3]), &before, sizeof before);
}

s64 call_getrlimit(struct thread *thread, const u64 *arg) {
    struct rlimit64 before;
    s64 error = limit_change(&thread->process->limits, (u32)arg[0], NULL, &before);
    if (error) return error;
    return put_user(user(arg[1]), &before, sizeof before);
}

s64 call_setrlimit(struct thread *thread, const u64 *arg) {
    struct rlimit64 wanted, before;
    if (!copy_from_user(&wanted, user(arg[1]), sizeof wanted)) return -EFAULT;
    return limit_change(&thread->process->limits, (u32)arg[0], &wanted, &before);
}
