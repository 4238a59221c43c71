// Signals until they are due: what they do, who has been sent one, and who is to take it.
#pragma once

#include "kernel/thread/thread.h"

static inline u64 signal_bit(int signal) { return 1ull << (signal - 1); }
#define SIGNALS_UNMASKABLE (signal_bit(SIGKILL) | signal_bit(SIGSTOP))

// What a signal does from now on, unless wanted is NULL; before becomes what it did. 0, -EINVAL, or
// -ENOSYS for a handler.
s64 signal_act(struct process *process, int signal, const struct signal_action *wanted,
               struct signal_action *before);
bool signal_ignored(const struct process *process, int signal);
// Some threads of the process, from a tid on, forget a signal that is ignored now. Who is the next;
// 0: that was all.
u32 signal_forget(struct process *process, int signal, u32 tid);
// To thread tid, or (0) to the process: some thread that does not block it takes it. 0 is no
// signal, as for kill(2).
s64 signal_send(struct process *process, u32 tid, int signal);
extern struct process *signals_unasked; // has threads that were not asked yet; NULL: none has
// Whether signal_search() has something to do. Looked at before every return to the program.
static inline bool signal_is_unasked(void) {
    return __atomic_load_n(&signals_unasked, __ATOMIC_RELAXED);
}
// Goes on looking for somebody who takes what was sent to a process. False: nobody is left to
// ask. Without locks.
bool signal_search(void);
// Whether the current thread has to act on one before it returns to the program.
static inline bool signal_is_due(const struct thread *thread) {
    u64 pending = __atomic_load_n(&thread->process->signals.pending, __ATOMIC_RELAXED);
    pending |= __atomic_load_n(&thread->signals_pending, __ATOMIC_RELAXED);
    return pending & ~thread->signals_blocked;
}
