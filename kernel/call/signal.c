// What the program does with signals: what they do, who blocks them, and how it waits for them.
#include <asm/siginfo.h>
#include <linux/signal.h>
#include "kernel/call/call.h"
#include "kernel/process/frame.h"

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
            if (!copy_from_user(&wanted, user(arg[1]), sizeof wanted)) return -EFAULT;
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
    return put_user(user(arg[2]), before, sizeof *before);
}

// rt_sigprocmask(int how, new, old, bytes of a mask)
s64 call_rt_sigprocmask(struct thread *thread, const u64 *arg) {
    int how = (int)arg[0];
    u64 set;
    u64 old = thread->signals_blocked;
    if (arg[3] != sizeof set) return -EINVAL;
    if (arg[1]) {
        if (!copy_from_user(&set, user(arg[1]), sizeof set)) return -EFAULT;
        if (how == SIG_BLOCK)
            set |= old;
        else if (how == SIG_UNBLOCK)
            set = old & ~set;
        else if (how != SIG_SETMASK)
            return -EINVAL;
        signal_block_asked(thread, set);
    }
    if (!arg[2]) return 0;
    return put_user(user(arg[2]), &old, sizeof old);
}

// rt_sigpending(set, bytes): what was sent and is blocked.
s64 call_rt_sigpending(struct thread *thread, const u64 *arg) {
    u64 set = __atomic_load_n(&thread->process->signals.pending, __ATOMIC_RELAXED);
    set |= __atomic_load_n(&thread->signals_pending, __ATOMIC_RELAXED);
    set &= thread->signals_blocked;
    if (arg[1] > sizeof set) return -EINVAL;
    return put_user(user(arg[0]), &set, arg[1]);
}

// Until a handler has run: then it ends with EINTR, always.
s64 call_pause(struct thread *thread, const u64 *arg) {
    (void)thread_deadline(thread, NEVER);
    return CALL_WAITS;
}

// rt_sigsuspend(set, bytes): the first execution takes the set, which may be gone by the next one.
// What was blocked before is blocked again behind the handler.
s64 call_rt_sigsuspend(struct thread *thread, const u64 *arg) {
    u64 set;
    if (!thread->has_deadline) {
        if (arg[1] != sizeof set) return -EINVAL;
        if (!copy_from_user(&set, user(arg[0]), sizeof set)) return -EFAULT;
        thread->signals_saved = thread->signals_blocked;
        thread->has_saved = true;
        signal_block_asked(thread, set);
    }
    return call_pause(thread, arg);
}

// The first execution of rt_sigtimedwait: 0, and the set and the timeout are in the record.
static s64 sigtimedwait_begin(struct thread *thread, const u64 *arg) {
    struct record *record = &thread->record;
    if (arg[3] != sizeof record->few[0]) return -EINVAL;
    if (!copy_from_user(&record->few[0], user(arg[0]), sizeof record->few[0])) return -EFAULT;
    record->few[0] &= ~SIGNALS_UNMASKABLE;
    record->few[1] = NEVER;
    if (arg[2]) {
        s64 error = time_get(user(arg[2]), &record->few[1]);
        if (error) return error;
    }
    record->begun = true;
    signal_want(thread, record->few[0]);
    return 0;
}

// rt_sigtimedwait(set, info, timeout, bytes of the set): a signal of the set that is pending, or
// comes, is taken without its handler.
s64 call_rt_sigtimedwait(struct thread *thread, const u64 *arg) {
    struct record *record = &thread->record;
    struct signal_info told[SIGINFO_BYTES / sizeof(struct signal_info) + 1] = {0};
    if (!record->begun) {
        s64 error = sigtimedwait_begin(thread, arg);
        if (error) return error;
    }
    int signal = signal_take(thread, record->few[0], told, NULL);
    bool is_over = thread_deadline(thread, record->few[1]);
    if (!signal && !is_over && !thread->interrupted) return CALL_WAITS;
    signal_want(thread, 0);
    if (!signal && is_over) return -EAGAIN;
    if (!signal) return -EINTR;
    if (arg[1] && !copy_to_user(user(arg[1]), told, SIGINFO_BYTES)) return -EFAULT;
    return signal;
}

// sigaltstack(new, old). One that changes nothing is taken, whatever it is.
s64 call_sigaltstack(struct thread *thread, const u64 *arg) {
    u64 sp = thread->context.regs.rsp;
    struct signal_stack *stack = &thread->signal_stack;
    struct signal_stack old = frame_stack_told(stack, sp);
    struct signal_stack wanted;
    if (arg[0]) {
        if (!copy_from_user(&wanted, user(arg[0]), sizeof wanted)) return -EFAULT;
        u32 mode = wanted.flags & ~(u32)SS_AUTODISARM;
        if (frame_on_stack(stack, sp)) return -EPERM;
        if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE) return -EINVAL;
        bool is_same = stack->start == wanted.start && stack->bytes == wanted.bytes &&
                       stack->flags == wanted.flags;
        if (mode == SS_DISABLE)
            wanted.start = wanted.bytes = 0;
        else if (!is_same && wanted.bytes < MINSIGSTKSZ)
            return -ENOMEM;
        *stack = wanted;
    }
    if (!arg[1]) return 0;
    return put_user(user(arg[1]), &old, sizeof old);
}

// rt_sigreturn(): the registers are the frame's afterwards. Without a frame it is a fault.
s64 call_rt_sigreturn(struct thread *thread, const u64 *arg) {
    const struct signal_info info = {.signal = SIGSEGV, .code = SI_KERNEL};
    if (frame_return(thread)) return CALL_DONE;
    if (!signal_catch(thread, &info))
        signal_kill_at(thread, SIGSEGV, "a signal's frame that nobody can return by");
    return CALL_DONE;
}
