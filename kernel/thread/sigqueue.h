// What is told about signals that were sent and not taken yet: Linux's siginfo_t, in the order in
// which it came. Whether a signal is pending at all is a bit beside the queue, so that a signal is
// never lost for want of memory; only what is told about it can be. All of this is under the lock
// of the threads.
#pragma once

#include "kernel/lib/types.h"

#define SIGINFO_BYTES 128 // of the program's siginfo_t

// The part of it that Linux uses; what is behind is zero.
struct signal_info {
    s32 signal, error, code, pad;
    u64 data[4];
};
_Static_assert(sizeof(struct signal_info) == 48, "as Linux's kernel_siginfo");

struct signal_item;
struct signal_queue {
    struct signal_item *first, *last;
};

// False: there is no memory, or the limit of what may be queued at once is reached.
bool sigqueue_add(struct signal_queue *queue, const struct signal_info *info) MUST_USE;
// Takes the first one of that signal. False: there is none, and info says what Linux then says.
// more: whether there are others of that signal.
bool sigqueue_take(struct signal_queue *queue, int signal, struct signal_info *info, bool *more);
// Forgets all of one signal; of every signal for 0.
void sigqueue_forget(struct signal_queue *queue, int signal);
