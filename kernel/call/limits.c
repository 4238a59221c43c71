// getrlimit(2), and what sets limits: of a process, by its number or that of one of its threads.
#include <linux/capability.h>
#include <linux/resource.h>
#include "kernel/call/call.h"
#include "kernel/process/credentials.h"

// Only who may do so raises what is the most that there can be.
static s64 limit_change_of(struct thread *thread, u32 pid, u32 resource,
                           const struct rlimit64 *wanted, struct rlimit64 *before) {
    s64 error = -ESRCH;
    lock_take(&threads_lock);
    struct process *process = thread->process;
    if (pid) process = process_of(pid);
    if (process) {
        bool may = credentials_can(&thread->process->credentials, CAP_SYS_RESOURCE);
        bool raises = wanted && resource < LIMITS &&
                      wanted->rlim_max > limit_hard(&process->limits, resource);
        if (!may && (raises || process != thread->process))
            error = -EPERM;
        else
            error = limit_change(&process->limits, resource, wanted, before);
    }
    lock_give(&threads_lock);
    return error;
}

// prlimit64(process, or a thread of it, resource, new, old)
s64 call_prlimit64(struct thread *thread, const u64 *arg) {
    struct rlimit64 wanted, before;
    const struct rlimit64 *asked = NULL;
    if (arg[2]) {
        if (!copy_from_user(&wanted, user(arg[2]), sizeof wanted)) return -EFAULT;
        asked = &wanted;
    }
    s64 error = limit_change_of(thread, (u32)arg[0], (u32)arg[1], asked, &before);
    if (error || !arg[3]) return error;
    return put_user(user(arg[3]), &before, sizeof before);
}

s64 call_getrlimit(struct thread *thread, const u64 *arg) {
    struct rlimit64 before;
    s64 error = limit_change_of(thread, 0, (u32)arg[0], NULL, &before);
    if (error) return error;
    return put_user(user(arg[1]), &before, sizeof before);
}

s64 call_setrlimit(struct thread *thread, const u64 *arg) {
    struct rlimit64 wanted, before;
    if (!copy_from_user(&wanted, user(arg[1]), sizeof wanted)) return -EFAULT;
    return limit_change_of(thread, 0, (u32)arg[0], &wanted, &before);
}
