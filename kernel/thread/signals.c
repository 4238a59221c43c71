// Signals until they are due: what they do, and to whom they are sent. The first thread that does
// not block one takes it; threads are asked in pieces, since they are as many as the program likes.
// Handlers of the program's own are not built; asking for one is refused with ENOSYS rather than
// taken and never called.
#include "kernel/thread/signals.h"

#include <linux/signal.h>
#include "kernel/kernel.h"

// Ignored by default; stopping is ignored too, since nobody could continue the program.
#define HARMLESS                                                                                   \
    (signal_bit(SIGCHLD) | signal_bit(SIGURG) | signal_bit(SIGWINCH) | signal_bit(SIGCONT) |       \
     signal_bit(SIGSTOP) | signal_bit(SIGTSTP) | signal_bit(SIGTTIN) | signal_bit(SIGTTOU))
#define SIGSETXID 33   // glibc's own
#define ASKED     1000 // threads in one go, under their lock
#define ACTION_FLAGS                                                                               \
    (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBITS | SA_RESTORER | SA_ONSTACK |     \
     SA_RESTART | SA_NODEFER | SA_RESETHAND)

struct process *signals_unasked;

bool signal_ignored(const struct process *process, int signal) {
    u64 handler = process->signals.actions[signal].handler;
    return handler == (u64)SIG_IGN || (handler == (u64)SIG_DFL && signal_bit(signal) & HARMLESS);
}

// Asks some of them, since threads are as many as the program likes, and wakes the first one that
// takes it. Whether there are more to ask.
bool signal_search(void) {
    int asked = 0;
    lock_take(&threads_lock);
    struct process *process = signals_unasked;
    u64 pending = 0;
    if (process) pending = __atomic_load_n(&process->signals.pending, __ATOMIC_RELAXED);
    struct thread *one = NULL;
    if (process) one = thread_from(process->signals.unasked);
    while (one && asked < ASKED) {
        bool takes_it = one->process == process && pending & ~one->signals_blocked;
        if (takes_it) break;
        one = thread_after(one);
        asked++;
    }
    bool more = one && asked == ASKED;
    if (one && !more) thread_wake(one);
    if (more) {
        process->signals.unasked = one->tid;
    } else {
        if (process) process->signals.unasked = 0;
        __atomic_store_n(&signals_unasked, NULL, __ATOMIC_RELAXED);
    }
    lock_give(&threads_lock);
    return more;
}

// Under the lock of the threads.
static void signal_ask(struct process *process) {
    process->signals.unasked = 1;
    __atomic_store_n(&signals_unasked, process, __ATOMIC_RELAXED);
}

s64 signal_send(struct process *process, u32 tid, int signal) {
    bool known = signal >= 0 && signal <= SIGNALS;
    lock_take(&threads_lock);
    struct thread *to = NULL;
    if (tid) to = thread_find(tid);
    u64 *pending = &process->signals.pending;
    if (to) {
        process = to->process;
        pending = &to->signals_pending;
    }
    bool exists = to || !tid;
    bool is_sent = exists && known && signal;
    if (is_sent && !signal_ignored(process, signal)) {
        __atomic_fetch_or(pending, signal_bit(signal), __ATOMIC_SEQ_CST);
        if (to)
            thread_wake(to);
        else
            signal_ask(process);
    }
    lock_give(&threads_lock);
    if (!tid) (void)signal_search();
    if (!exists) return -ESRCH;
    if (!known) return -EINVAL;
    return 0;
}

s64 signal_act(struct process *process, int signal, const struct signal_action *wanted,
               struct signal_action *before) {
    static bool named;
    bool known = signal > 0 && signal <= SIGNALS;
    if (!known || (wanted && signal_bit(signal) & SIGNALS_UNMASKABLE)) return -EINVAL;
    if (wanted && wanted->handler != (u64)SIG_DFL && wanted->handler != (u64)SIG_IGN) {
        // For every program with threads, which never use it.
        bool asked_by_glibc = signal == SIGSETXID && !wanted->mask;
        if (asked_by_glibc || __atomic_exchange_n(&named, true, __ATOMIC_RELAXED)) return -ENOSYS;
        return refused("rt_sigaction", "a handler for signal", (u64)signal, "no handlers are built",
                       -ENOSYS);
    }
    lock_take(&threads_lock);
    struct signal_action *action = &process->signals.actions[signal];
    *before = *action;
    if (wanted) {
        *action = *wanted;
        action->flags &= ACTION_FLAGS;
        action->mask &= ~SIGNALS_UNMASKABLE;
    }
    lock_give(&threads_lock);
    return 0;
}

u32 signal_forget(struct process *process, int signal, u32 tid) {
    lock_take(&threads_lock);
    __atomic_fetch_and(&process->signals.pending, ~signal_bit(signal), __ATOMIC_RELAXED);
    struct thread *one = thread_from(tid);
    for (int asked = 0; one && asked < ASKED; asked++) {
        if (one->process == process)
            __atomic_fetch_and(&one->signals_pending, ~signal_bit(signal), __ATOMIC_RELAXED);
        one = thread_after(one);
    }
    u32 next = 0;
    if (one) next = one->tid;
    lock_give(&threads_lock);
    return next;
}
