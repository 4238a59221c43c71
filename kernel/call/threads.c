// What ends threads, and what each has of its own.
#include "kernel/call/call.h"

s64 call_gettid(struct thread *thread, const u64 *arg) { return thread->tid; }

s64 call_set_tid_address(struct thread *thread, const u64 *arg) {
    thread->clear_tid = arg[0];
    return thread->tid;
}

s64 call_exit(struct thread *thread, const u64 *arg) {
    thread->exit_status = (s32)(arg[0] & 255) << 8;
    exit_begin(thread);
    return call_again(thread);
}

s64 call_exit_group(struct thread *thread, const u64 *arg) {
    exit_process(thread, (s32)(arg[0] & 255) << 8);
    exit_begin(thread);
    return call_again(thread);
}

// getcpu(cpu, node)
s64 call_getcpu(struct thread *thread, const u64 *arg) {
    return thread_tell_cpu(thread, user(arg[0]), user(arg[1]));
}

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
        head = 0;
        if (other) head = other->robust.head;
        lock_give(&threads_lock);
        if (!other) return -ESRCH;
    }
    s64 error = put_user(user(arg[2]), &bytes, sizeof bytes);
    if (error) return error;
    return put_user(user(arg[1]), &head, sizeof head);
}

// rseq(structure, unsigned bytes, int flags, unsigned signature)
s64 call_rseq(struct thread *thread, const u64 *arg) {
    struct rseq_kept asked = {.at = arg[0], .bytes = (u32)arg[1], .signature = (u32)arg[3]};
    return rseq_register(thread, &asked, (u32)arg[2]);
}
