// Signals until they are due: what they do, who has been sent one, and who is to take it.
#pragma once

#include "kernel/thread/thread.h"

static inline u64 signal_bit(int signal) { return 1ull << (signal - 1); }
#define SIGNALS_UNMASKABLE (signal_bit(SIGKILL) | signal_bit(SIGSTOP))
#define SIGNALS_STOP       /* the process, unless it handles or ignores them */                    \
    (signal_bit(SIGSTOP) | signal_bit(SIGTSTP) | signal_bit(SIGTTIN) | signal_bit(SIGTTOU))

// What a signal does from now on, unless wanted is NULL; before becomes what it did. 0 or -EINVAL.
s64 signal_act(struct process *process, int signal, const struct signal_action *wanted,
               struct signal_action *before);
bool signal_ignored(const struct process *process, int signal);
bool signal_harmless(int signal); // its default action is to do nothing
// Some threads of the process, from a tid on, forget a signal that is ignored now. Who is the next;
// 0: that was all.
u32 signal_forget(struct process *process, int signal, u32 tid);
// To thread tid of whatever process, or (0) to the process: some thread that does not block it
// takes it. 0 is no signal, as for kill(2). 0, -ESRCH, -EINVAL, or -EAGAIN: it is a real-time
// signal, and no more can be queued.
s64 signal_send_told(struct process *process, u32 tid, const struct signal_info *info);
s64 signal_send(struct process *process, int signal);     // from the kernel
void signal_send_self(struct thread *thread, int signal); // of the current thread, by what it did
// A signal, not 0, to a process or (to) one of its threads, under threads_lock. The caller calls
// signal_search() without it.
s64 signal_put_to(struct process *of, struct thread *to, const struct signal_info *info);
// The same, but it neither stops nor continues a process: of children.
s64 signal_tell(struct process *of, struct thread *to, const struct signal_info *info);
// Its threads are asked who takes what was sent to it; under threads_lock, before signal_search().
void signal_ask(struct process *process);
void signals_forget_all(
    struct process *process);    // that has no threads any more; under threads_lock
extern unsigned signals_unasked; // processes of which threads were not asked yet
// Whether signal_search() has something to do. Looked at before every return to the program.
static inline bool signal_is_unasked(void) {
    return __atomic_load_n(&signals_unasked, __ATOMIC_RELAXED);
}
// Goes on looking for somebody who takes what was sent to a process. False: nobody is left to
// ask. Without locks.
bool signal_search(void);
// Takes one of a set, of those for the current thread before those for its process, and what it
// does (NULL: that is not asked for; else a handler with SA_RESETHAND is gone from then on). 0:
// none is pending.
int signal_take(struct thread *thread, u64 set, struct signal_info *info,
                struct signal_action *action);
// The one that the current thread would take next; another thread may be faster. 0: none.
int signal_next(const struct thread *thread);
// The current thread blocks these alone from now on, whichever they are.
void signal_block(struct thread *thread, u64 signals);
// The same, but for the two that no program can block.
void signal_block_asked(struct thread *thread, u64 signals);
// The current thread takes these although it blocks them, and is woken when one comes.
void signal_want(struct thread *thread, u64 signals);
void signals_end(struct thread *thread); // it ends, and takes none any more
// Whether the current thread has to act on one before it returns to the program, on the end of a
// call that one has interrupted, or on having been off its CPU (process/rseq.c).
static inline bool signal_is_due(const struct thread *thread) {
    u64 pending = __atomic_load_n(&thread->process->signals.pending, __ATOMIC_RELAXED);
    pending |= __atomic_load_n(&thread->signals_pending, __ATOMIC_RELAXED);
    bool is_over = thread->restarts || (thread->has_saved && !thread->waiting);
    bool is_halted = thread->process->halts || thread->is_held;
    return pending & ~thread->signals_blocked || is_over || thread->rseq.is_stale || is_halted;
}
