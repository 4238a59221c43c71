// Signals until they are due: what they do, and to whom they are sent. The first thread that does
// not block one takes it; threads are asked in pieces, since they are as many as the program likes.
#include "kernel/thread/signals.h"

#include <asm/siginfo.h>
#include <linux/signal.h>
#include "kernel/kernel.h"

// Ignored by default.
#define HARMLESS                                                                                   \
    (signal_bit(SIGCHLD) | signal_bit(SIGURG) | signal_bit(SIGWINCH) | signal_bit(SIGCONT))
// What an instruction of the thread itself has caused comes before all others.
#define CAUSED                                                                                     \
    (signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGILL) | signal_bit(SIGTRAP) |         \
     signal_bit(SIGFPE) | signal_bit(SIGSYS))
#define ASKED 1000 // threads in one go, under their lock
#define ACTION_FLAGS                                                                               \
    (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBITS | SA_RESTORER | SA_ONSTACK |     \
     SA_RESTART | SA_NODEFER | SA_RESETHAND)

static struct sorted asking; // processes of which threads were not asked yet, by id
unsigned signals_unasked;

static u64 signals_load(const u64 *set) { return __atomic_load_n(set, __ATOMIC_RELAXED); }

bool signal_ignored(const struct process *process, int signal) {
    u64 handler = process->handlers->actions[signal].handler;
    return handler == (u64)SIG_IGN || (handler == (u64)SIG_DFL && signal_bit(signal) & HARMLESS);
}

bool signal_harmless(int signal) { return signal_bit(signal) & HARMLESS; }

// ---- sending ----

// Whether a thread takes one of these, as soon as it is sent.
static bool signal_is_for(const struct thread *thread, u64 pending) {
    return pending & (~thread->signals_blocked | thread->signals_wanted);
}

// Under the lock of the threads.
static void signal_end_asking(struct process *process) {
    if (!sorted_in(&process->signals.asks)) return;
    process->signals.unasked = 0;
    sorted_remove(&asking, &process->signals.asks);
    __atomic_store_n(&signals_unasked, signals_unasked - 1, __ATOMIC_RELAXED);
}

// Asks some threads, since they are as many as the program likes, and wakes the first one that
// takes it. Whether there are more to ask.
bool signal_search(void) {
    lock_take(&threads_lock);
    struct sorted_node *node = sorted_first(&asking);
    struct signals *signals = (struct signals *)((u8 *)node - offsetof(struct signals, asks));
    struct process *process = (struct process *)((u8 *)signals - offsetof(struct process, signals));
    struct thread *one = NULL;
    int asked = 0;
    if (node) one = thread_from(process, signals->unasked);
    while (one && asked < ASKED && !signal_is_for(one, signals_load(&signals->pending))) {
        one = thread_from(process, one->tid + 1);
        asked++;
    }
    bool is_more = one && asked == ASKED;
    if (one && !is_more) thread_wake(one);
    if (is_more) {
        signals->unasked = one->tid;
    } else if (node) {
        signal_end_asking(process);
    }
    lock_give(&threads_lock);
    return is_more || signal_is_unasked();
}

void signal_ask(struct process *process) {
    process->signals.unasked = 1;
    if (sorted_in(&process->signals.asks)) return;
    sorted_add(&asking, &process->signals.asks, process->id, 0);
    __atomic_store_n(&signals_unasked, signals_unasked + 1, __ATOMIC_RELAXED);
}

// As on Linux, what is blocked is kept even if it would be ignored now: what it does may be changed
// before it is taken. Of a process its first thread is asked.
static bool signal_is_dropped(const struct process *process, const struct thread *to, int signal) {
    const struct thread *asked = to;
    if (!to) asked = thread_find(process->id);
    if (asked && signal_bit(signal) & (asked->signals_blocked | asked->signals_wanted))
        return false;
    return signal_ignored(process, signal);
}

// Of those before SIGRTMIN one at a time is pending, with what was told about the first one. A
// real-time signal for which there is no memory is refused if it carries a value (Linux's rule).
static s64 signal_put(struct process *process, struct thread *to, const struct signal_info *info) {
    u64 *pending = &process->signals.pending;
    struct signal_queue *queue = &process->signals.queue;
    if (to) {
        pending = &to->signals_pending;
        queue = &to->signals_queue;
    }
    bool is_real_time = info->signal >= SIGRTMIN;
    bool is_pending = signals_load(pending) & signal_bit(info->signal);
    if (is_pending && !is_real_time) return 0;
    bool is_kept = sigqueue_add(queue, info);
    if (!is_kept && is_real_time && info->code != SI_USER) return -EAGAIN;
    __atomic_fetch_or(pending, signal_bit(info->signal), __ATOMIC_SEQ_CST);
    return 0;
}

// What was sent to stop it is no longer pending when it is to go on, and the other way round. Of
// threads only the one that is meant forgets it.
static void signal_cancel(struct process *of, struct thread *to, u64 signals) {
    for (; signals; signals &= signals - 1) {
        int signal = __builtin_ctzll(signals) + 1;
        __atomic_fetch_and(&of->signals.pending, ~signal_bit(signal), __ATOMIC_RELAXED);
        sigqueue_forget(&of->signals.queue, signal);
        if (!to) continue;
        __atomic_fetch_and(&to->signals_pending, ~signal_bit(signal), __ATOMIC_RELAXED);
        sigqueue_forget(&to->signals_queue, signal);
    }
}

s64 signal_put_to(struct process *of, struct thread *to, const struct signal_info *info) {
    int signal = info->signal;
    if (of->is_dead) return 0;
    if (signal == SIGCONT) signal_cancel(of, to, SIGNALS_STOP);
    if (signal == SIGCONT || signal == SIGKILL) process_continue(of, signal == SIGCONT);
    if (signal_bit(signal) & SIGNALS_STOP) signal_cancel(of, to, signal_bit(SIGCONT));
    return signal_tell(of, to, info);
}

s64 signal_tell(struct process *of, struct thread *to, const struct signal_info *info) {
    if (of->is_dead || signal_is_dropped(of, to, info->signal)) return 0;
    s64 error = signal_put(of, to, info);
    if (to)
        thread_wake(to);
    else
        signal_ask(of);
    return error;
}

s64 signal_send_told(struct process *process, u32 tid, const struct signal_info *info) {
    bool known = info->signal >= 0 && info->signal <= SIGNALS;
    s64 error = 0;
    lock_take(&threads_lock);
    struct thread *to = NULL;
    if (tid) to = thread_find(tid);
    bool exists = to || !tid;
    if (to) process = to->process;
    if (exists && known && info->signal) error = signal_put_to(process, to, info);
    lock_give(&threads_lock);
    if (!tid) (void)signal_search();
    if (!exists) return -ESRCH;
    if (!known) return -EINVAL;
    return error;
}

s64 signal_send(struct process *process, int signal) {
    const struct signal_info info = {.signal = signal, .code = SI_KERNEL};
    return signal_send_told(process, 0, &info);
}

void signal_send_self(struct thread *thread, int signal) {
    struct signal_info info = {.signal = signal, .code = SI_USER};
    info.data[0] = thread->process->id;
    (void)signal_send_told(thread->process, thread->tid, &info);
}

// ---- taking ----

static int signal_first(u64 set) {
    if (set & CAUSED) set &= CAUSED;
    if (!set) return 0;
    return __builtin_ctzll(set) + 1;
}

// From one of the two: the signal, or 0. Under the lock of the threads.
static int signal_take_from(u64 *pending, struct signal_queue *queue, u64 set,
                            struct signal_info *info) {
    bool more;
    int signal = signal_first(signals_load(pending) & set);
    if (!signal) return 0;
    (void)sigqueue_take(queue, signal, info, &more);
    if (!more) __atomic_fetch_and(pending, ~signal_bit(signal), __ATOMIC_SEQ_CST);
    return signal;
}

int signal_take(struct thread *thread, u64 set, struct signal_info *info,
                struct signal_action *action) {
    struct signals *signals = &thread->process->signals;
    lock_take(&threads_lock);
    int signal = signal_take_from(&thread->signals_pending, &thread->signals_queue, set, info);
    if (!signal) signal = signal_take_from(&signals->pending, &signals->queue, set, info);
    if (signal && action) {
        *action = thread->process->handlers->actions[signal];
        bool is_handler = action->handler != (u64)SIG_DFL && action->handler != (u64)SIG_IGN;
        if (is_handler && action->flags & SA_RESETHAND)
            thread->process->handlers->actions[signal].handler = (u64)SIG_DFL;
    }
    lock_give(&threads_lock);
    bool is_timers = signal == SIGALRM || signal == SIGVTALRM || signal == SIGPROF;
    if (signal && (is_timers || info->code == SI_TIMER)) alarm_taken(thread->process, info);
    return signal;
}

int signal_next(const struct thread *thread) {
    u64 own = signals_load(&thread->signals_pending) & ~thread->signals_blocked;
    u64 shared = signals_load(&thread->process->signals.pending) & ~thread->signals_blocked;
    if (own) return signal_first(own);
    return signal_first(shared);
}

// A sender may have chosen this thread for what it blocks from now on: then another one is asked.
void signal_block(struct thread *thread, u64 signals) {
    lock_take(&threads_lock);
    u64 fewer = signals & ~thread->signals_blocked;
    thread->signals_blocked = signals;
    if (signals_load(&thread->process->signals.pending) & fewer) signal_ask(thread->process);
    lock_give(&threads_lock);
}

void signal_block_asked(struct thread *thread, u64 signals) {
    signal_block(thread, signals & ~SIGNALS_UNMASKABLE);
}

void signal_want(struct thread *thread, u64 signals) {
    lock_take(&threads_lock);
    thread->signals_wanted = signals & ~SIGNALS_UNMASKABLE;
    lock_give(&threads_lock);
}

void signals_end(struct thread *thread) {
    lock_take(&threads_lock);
    sigqueue_forget(&thread->signals_queue, 0);
    lock_give(&threads_lock);
}

// ---- what they do ----

s64 signal_act(struct process *process, int signal, const struct signal_action *wanted,
               struct signal_action *before) {
    bool known = signal > 0 && signal <= SIGNALS;
    if (!known || (wanted && signal_bit(signal) & SIGNALS_UNMASKABLE)) return -EINVAL;
    lock_take(&threads_lock);
    struct signal_action *action = &process->handlers->actions[signal];
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
    sigqueue_forget(&process->signals.queue, signal);
    struct thread *one = thread_from(process, tid);
    for (int asked = 0; one && asked < ASKED; asked++) {
        __atomic_fetch_and(&one->signals_pending, ~signal_bit(signal), __ATOMIC_RELAXED);
        sigqueue_forget(&one->signals_queue, signal);
        one = thread_from(process, one->tid + 1);
    }
    u32 next = 0;
    if (one) next = one->tid;
    lock_give(&threads_lock);
    return next;
}

void signals_forget_all(struct process *process) {
    sigqueue_forget(&process->signals.queue, 0);
    signal_end_asking(process);
}
