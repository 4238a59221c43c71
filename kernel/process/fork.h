// New threads and processes (clone(2)).
#pragma once

#include "kernel/thread/thread.h"

struct clone {
    u64 flags; // CLONE_*, without the signal
    u64 stack; // the stack pointer; 0: as it is
    u64 tls;
    uaddr parent_tid, child_tid;
    u32 exit_signal;
};
// Returns the new tid to the caller, or a negative errno; in every execution with the same.
s64 clone_thread(struct thread *thread, const struct clone *wanted);
s64 clone_process(struct thread *thread, const struct clone *wanted);
