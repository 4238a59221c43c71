// What makes and ends threads, and what each has of its own.
#include "kernel/call/call.h"

// set_robust_list(head, bytes of it)
s64 call_set_robust_list(struct thread *thread, const u64 *arg) {
    if (arg[1] != ROBUST_HEAD_BYTES) return -EINVAL;
    thread->robust.head = arg[0];
    return 0;
}

// get_robust_list(int thread, head, bytes of it)
s64 call_get_robust_list(struct thread *thread, const u64 *arg) {
    const u64 bytes = ROBUST_HEAD_BYTES;
    u64 head = thread->robust.head;
    if ((u32)arg[0]) {
        lock_take(&threads_lock);
        const struct thread *other = thread_find((u32)arg[0]);
        head = other ? other->robust.head : 0;
        lock_give(&threads_lock);
        if (!other) return -ESRCH;
    }
    s64 error = put_user(arg[2], &bytes, sizeof bytes);
    return error ? error : put_user(arg[1], &head, sizeof head);
}
