// prctl and arch_prctl: what a program tells and asks about itself and its threads.
#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include "kernel/lib/string.h"
#include "kernel/call/call.h"
#include "kernel/process/credentials.h"

#define TIMER_SLACK_NS 50000 // of a thread at first

// arch_prctl(int option, address). A base that is not canonical would fault in the kernel.
s64 call_arch_prctl(struct thread *thread, const u64 *arg) {
    bool fs = (int)arg[0] == ARCH_SET_FS || (int)arg[0] == ARCH_GET_FS;
    u64 base = segments_base(fs);
    switch ((int)arg[0]) {
    case ARCH_GET_FS:
    case ARCH_GET_GS: return put_user(user(arg[1]), &base, sizeof base);
    case ARCH_SET_FS:
    case ARCH_SET_GS:
        if (arg[1] >= USER_END) return -EPERM;
        segments_set_base(fs, arg[1]);
        return 0;
    case ARCH_GET_CPUID: return 1; // the instruction works
    }
    return refused("arch_prctl", "option", (u32)arg[0], "it is not built", -EINVAL);
}

static s64 prctl_keep(u32 *at, u64 value, u64 highest) {
    if (value > highest) return -EINVAL;
    __atomic_store_n(at, (u32)value, __ATOMIC_RELAXED);
    return 0;
}

static s64 prctl_set_name(struct thread *thread, u64 from) {
    char name[THREAD_NAME];
    s64 length = copy_string_from_user(name, user(from), THREAD_NAME - 1);
    if (length < 0) return -EFAULT;
    memset(thread->name, 0, THREAD_NAME);
    memcpy(thread->name, name, (u64)length);
    return 0;
}

// The flags that are a place of their own: 1, or nothing at all.
static s64 prctl_no_new_rights(struct kept *kept, const u64 *arg, bool sets) {
    if (arg[1] != sets || arg[2] || arg[3] || arg[4]) return -EINVAL;
    if (sets) return prctl_keep(&kept->no_new_rights, 1, 1);
    return (s64)kept->no_new_rights;
}

static s64 prctl_no_huge_pages(struct kept *kept, const u64 *arg, bool sets) {
    if ((!sets && arg[1]) || arg[2] || arg[3] || arg[4]) return -EINVAL;
    if (sets) return prctl_keep(&kept->no_huge_pages, arg[1] != 0, 1);
    return (s64)kept->no_huge_pages;
}

// prctl(int option, four values)
s64 call_prctl(struct thread *thread, const u64 *arg) {
    const u32 time_stamps = PR_TSC_ENABLE;
    struct process *process = thread->process;
    struct kept *kept = &process->kept;
    switch ((int)arg[0]) {
    case PR_SET_NAME: return prctl_set_name(thread, arg[1]);
    case PR_GET_NAME: return put_user(user(arg[1]), thread->name, THREAD_NAME);
    case PR_SET_PDEATHSIG: return prctl_keep(&process->death_signal, arg[1], SIGNALS);
    case PR_GET_PDEATHSIG: return put_user(user(arg[1]), &process->death_signal, sizeof(u32));
    case PR_SET_DUMPABLE: return prctl_keep(&kept->dumpable, arg[1], 1);
    case PR_GET_DUMPABLE: return kept->dumpable;
    case PR_SET_KEEPCAPS:
        if (arg[1] > 1) return -EINVAL;
        process->credentials.keeps = arg[1];
        return 0;
    case PR_GET_KEEPCAPS: return process->credentials.keeps;
    case PR_SET_CHILD_SUBREAPER: return prctl_keep(&process->is_subreaper, arg[1] != 0, 1);
    case PR_GET_CHILD_SUBREAPER: return put_user(user(arg[1]), &process->is_subreaper, sizeof(u32));
    case PR_SET_NO_NEW_PRIVS: return prctl_no_new_rights(kept, arg, true);
    case PR_GET_NO_NEW_PRIVS: return prctl_no_new_rights(kept, arg, false);
    case PR_SET_THP_DISABLE: return prctl_no_huge_pages(kept, arg, true);
    case PR_GET_THP_DISABLE: return prctl_no_huge_pages(kept, arg, false);
    case PR_SET_TIMERSLACK: // sleeps end as soon as they can
        thread->timer_slack = arg[1];
        return 0;
    case PR_GET_TIMERSLACK:
        if (!thread->timer_slack) return TIMER_SLACK_NS;
        return (s64)thread->timer_slack;
    case PR_SET_TIMING:
        if (arg[1] != PR_TIMING_STATISTICAL) return -EINVAL;
        return 0;
    case PR_GET_TIMING: return PR_TIMING_STATISTICAL;
    case PR_GET_TSC: return put_user(user(arg[1]), &time_stamps, sizeof time_stamps);
    case PR_CAPBSET_READ:
        if (arg[1] > CAP_LAST_CAP) return -EINVAL;
        return process->credentials.bounding >> arg[1] & 1;
    case PR_CAPBSET_DROP:
        if (!credentials_can(&process->credentials, CAP_SETPCAP)) return -EPERM;
        if (arg[1] > CAP_LAST_CAP) return -EINVAL;
        process->credentials.bounding &= ~(1ull << arg[1]);
        return 0;
    case PR_GET_TID_ADDRESS: return put_user(user(arg[1]), &thread->clear_tid, sizeof(u64));
    case PR_GET_SECCOMP:
    case PR_GET_SECUREBITS: return 0;
    case PR_SET_SECUREBITS:
        if (!arg[1]) return 0;
    }
    return refused("prctl", "option", (u32)arg[0], "it is not built", -EINVAL);
}
