// What the program does with signals: what they do, who blocks them, and sending them.
#include <linux/signal.h>
#include "kernel/call/call.h"

// rt_sigaction(int signal, new, old, bytes of a mask)
s64 call_rt_sigaction(struct thread *thread, const u64 *arg) {
    int signal = (int)arg[0];
    struct record *record = &thread->record;
    struct signal_action *before = (struct signal_action *)record->few;
    if (!record->begun) {
        struct signal_action wanted;
        const struct signal_action *action = NULL;
        if (arg[3] != sizeof wanted.mask) return -EINVAL;
        if (arg[1]) {
            if (!copy_from_user(&wanted, arg[1], sizeof wanted)) return -EFAULT;
            action = &wanted;
        }
        s64 error = signal_act(thread->process, signal, action, before);
        if (error) return error;
        record->begun = true;
        record->done = arg[1] && signal_ignored(thread->process, signal); // from the first tid on
    }
    if (record->done) record->done = signal_forget(thread->process, signal, (u32)record->done);
    if (record->done) return call_again(thread);
    if (!arg[2]) return 0;
    return put_user(arg[2], before, sizeof *before);
}

// rt_sigprocmask(int how, new, old, bytes of a mask)
s64 call_rt_sigprocmask(struct thread *thread, const u64 *arg) {
    int how = (int)arg[0];
    u64 set;
    u64 old = thread->signals_blocked;
    if (arg[3] != sizeof set) return -EINVAL;
    if (arg[1]) {
        if (!copy_from_user(&set, arg[1], sizeof set)) return -EFAULT;
        if (how == SIG_BLOCK)
            set |= old;
        else if (how == SIG_UNBLOCK)
            set = old & ~set;
        else if (how != SIG_SETMASK)
            return -EINVAL;
        signal_block_asked(thread, set);
    }
    if (!arg[2]) return 0;
    return put_user(arg[2], &old, sizeof old);
}

// rt_sigpending(set, bytes): what was sent and is blocked.
s64 call_rt_sigpending(struct thread *thread, const u64 *arg) {
    u64 set = __atomic_load_n(&thread->process->signals.pending, __ATOMIC_RELAXED);
    set |= __atomic_load_n(&thread->signals_pending, __ATOMIC_RELAXED);
    set &= thread->signals_blocked;
    if (arg[1] > sizeof set) return -EINVAL;
    return put_user(arg[0], &set, arg[1]);
}

// Without handlers a signal ends the program or does nothing, so these two never return.
s64 call_pause(struct thread *thread, const u64 *arg) {
    (void)thread_deadline(thread, NEVER);
    return CALL_WAITS;
}

// rt_sigsuspend(set, bytes): the first execution takes the set, which may be gone by the next one.
s64 call_rt_sigsuspend(struct thread *thread, const u64 *arg) {
    u64 set;
    if (!thread->has_deadline) {
        if (arg[1] != sizeof set) return -EINVAL;
        if (!copy_from_user(&set, arg[0], sizeof set)) return -EFAULT;
        signal_block_asked(thread, set);
    }
    return call_pause(thread, arg);
}

// sigaltstack(new, old): kept for the thread, for nothing runs on it yet.
s64 call_sigaltstack(struct thread *thread, const u64 *arg) {
    struct signal_stack old = thread->signal_stack;
    struct signal_stack wanted;
    old.flags &= SS_AUTODISARM;
    if (!old.bytes) old.flags |= SS_DISABLE;
    if (arg[0]) {
        if (!copy_from_user(&wanted, arg[0], sizeof wanted)) return -EFAULT;
        u32 mode = wanted.flags & ~SS_AUTODISARM;
        if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE) return -EINVAL;
        if (mode != SS_DISABLE && wanted.bytes < MINSIGSTKSZ) return -ENOMEM;
        if (mode == SS_DISABLE) wanted.start = wanted.bytes = 0;
        thread->signal_stack = wanted;
    }
    if (!arg[1]) return 0;
    return put_user(arg[1], &old, sizeof old);
}

// kill(int process, int signal). The only process is number 1, in group 1; -1 means all others, and
// there are none.
s64 call_kill(struct thread *thread, const u64 *arg) {
    int pid = (int)arg[0];
    bool is_ours = pid == 0 || pid == 1;
    if (pid > 1) is_ours = thread_exists((u32)pid); // a thread's number stands for its process
    if (!is_ours) return -ESRCH;
    return signal_send(thread->process, 0, (int)arg[1]);
}

// tkill(int thread, int signal)
s64 call_tkill(struct thread *thread, const u64 *arg) {
    if ((int)arg[0] <= 0) return -EINVAL;
    return signal_send(thread->process, (u32)arg[0], (int)arg[1]);
}

// tgkill(int process, int thread, int signal)
s64 call_tgkill(struct thread *thread, const u64 *arg) {
    if ((int)arg[0] <= 0 || (int)arg[1] <= 0) return -EINVAL;
    if ((int)arg[0] != 1) return -ESRCH;
    return call_tkill(thread, arg + 1);
}
