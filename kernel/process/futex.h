// Who waits for a word of memory (futex(2)).
#pragma once

#include "kernel/space/space.h"

void futex_init(void); // once, before the first call
struct futex_key {     // what a waiter waits for
    u64 place;         // space_place() of the word, or its address for who says that it is private
};
struct futex_key futex_key(struct space *space, u64 address,
                           u32 operation); // operation: with FUTEX_PRIVATE_FLAG or without
// Whether nobody waits for a private word; true may be over at once.
bool futex_has_nobody(const struct space *space, u64 address);
void futex_wake_one(struct futex_key key); // the one who came first
// The calls, in every execution; operation: with Linux's flags.
struct futex_wait {
    u64 word, ns; // ns: from now, or until then; NEVER
    u32 operation, expected, bits;
};
s64 futex_wait(struct thread *thread, const struct futex_wait *wait);
s64 futex_wake(struct thread *thread, u64 word, u32 operation, u32 count, u32 bits);
struct futex_requeue {
    u64 word, to;
    u32 operation, expected, wakes, moves;
    bool compares; // the word with what is expected
};
s64 futex_requeue(struct thread *thread, const struct futex_requeue *how);
struct futex_wake_op { // changes the other word, wakes at the first one, and perhaps at the other
    u64 word, other;
    u32 operation, change, wakes, other_wakes; // change: as <linux/futex.h> packs it
};
s64 futex_wake_op(struct thread *thread, const struct futex_wake_op *how);
// Changes a word of the program. Whether the comparison of what it was holds, or -EFAULT, -ENOSYS,
// or what call_again() returns.
s64 futex_word_change(struct thread *thread, u64 address, u32 how);
bool futex_waits(struct thread *thread, bool leave); // whether it is at one; leave: not any more

// ---- robust.c ----
// Of a thread that ends: gives up the locks it holds. False: there are more, in the call's next
// execution.
bool robust_walk(struct thread *thread);
