// A thread is its saved registers and its state; kernel stacks belong to CPUs. A call that cannot finish yet returns
// CALL_WAITS: the thread then waits, and the scheduler executes the call anew when it is woken or its deadline has
// passed. What the call must remember between two executions stands in the progress record here.
#pragma once

#include "kernel/cpu/trap.h"
#include "kernel/file/file.h"

#define CALL_WAITS FILE_WAITS
#define NEVER      (~0ull)

struct thread {
    struct context context; // first: the trap code's context is the thread
    int id;
    bool waiting;                         // in a call that returned CALL_WAITS
    bool woken;                           // something happened that it may wait for
    bool has_deadline;                    // progress record: deadline was set by the first execution of this call
    u64 deadline;                         // time_now_ns() when the wait ends whatever happens, or NEVER
    u64 signals_blocked, signals_pending; // bit n - 1 for signal n
};

static inline struct thread *thread_current(void) { return (struct thread *)context_current(); }

// The first execution of a call sets its deadline, the later ones keep it: no timeout starts again. True when it
// passed.
bool thread_deadline(struct thread *thread, u64 ns_from_now);
u64 thread_idle_ns(void); // time the CPU has spent waiting for anything to do

// ---- syscall.c ----
void syscall_run(struct thread *thread); // executes the call in thread's registers, for the first time or anew

// ---- signal.c ----
void signal_send(struct thread *thread, int signal);
void signal_deliver(struct thread *thread); // ends the program when a signal is due
static inline u64 signal_due(const struct thread *thread) { return thread->signals_pending & ~thread->signals_blocked; }
