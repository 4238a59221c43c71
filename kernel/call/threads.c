// What makes and ends threads, and what each has of its own.
#include <linux/sched.h>
#include "kernel/call/call.h"
#include "kernel/device/devices.h"

// What every thread has, and what means nothing between threads, which share everything here.
#define CLONE_NEEDED     (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
#define CLONE_SHARED     (CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_IO)
#define CLONE_OF_PARENTS (CLONE_PARENT | CLONE_PTRACE | CLONE_UNTRACED | CLONE_DETACHED | CSIGNAL)
#define CLONE_TIDS       (CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)
#define CLONE_BUILT      (CLONE_SETTLS | CLONE_TIDS)
#define CLONE_KNOWN      (CLONE_NEEDED | CLONE_SHARED | CLONE_OF_PARENTS | CLONE_BUILT)

// As Linux: what contradicts itself.
static bool clone_makes_sense(u64 flags) {
    bool is_thread = flags & CLONE_THREAD;
    if (is_thread && !(flags & CLONE_SIGHAND)) return false;
    if (flags & CLONE_SIGHAND && !(flags & CLONE_VM)) return false;
    if (flags & CLONE_FS && flags & (CLONE_NEWNS | CLONE_NEWUSER)) return false;
    return !(is_thread && flags & (CLONE_NEWUSER | CLONE_NEWPID | CLONE_PIDFD));
}

// clone(flags, stack, tid for the parent, tid for the child, TLS). Without CLONE_FS or CLONE_FILES,
// too, the threads have one directory and one table of files.
s64 call_clone(struct thread *thread, const u64 *arg) {
    u64 flags = (u32)arg[0];
    if (!clone_makes_sense(flags)) return -EINVAL;
    if ((flags & CLONE_NEEDED) != CLONE_NEEDED || flags & ~(u64)CLONE_KNOWN)
        return refused("clone", "flags", flags, "only threads are built", -ENOSYS);
    if (flags & CLONE_SETTLS && arg[4] >= USER_END) return -EPERM;
    struct thread *child = thread_make(thread->process, thread);
    if (!child) return -ENOMEM;
    u32 tid = child->tid;
    child->context.regs.rax = 0;
    if (arg[1]) child->context.regs.rsp = arg[1];
    if (flags & CLONE_SETTLS) {
        child->context.segments.fs_base = arg[4];
        child->context.segments.selectors.fs = 0;
    }
    if (flags & CLONE_CHILD_CLEARTID) child->clear_tid = arg[3];
    // As on Linux, a place that cannot be written is left alone.
    if (flags & CLONE_PARENT_SETTID) put_user(user(arg[2]), &tid, sizeof tid);
    if (flags & CLONE_CHILD_SETTID) put_user(user(arg[3]), &tid, sizeof tid);
    thread_start(child);
    return tid;
}

s64 call_gettid(struct thread *thread, const u64 *arg) { return thread->tid; }

s64 call_set_tid_address(struct thread *thread, const u64 *arg) {
    thread->clear_tid = arg[0];
    return thread->tid;
}

// The memory of a thread goes when its CPU has left it. Its stack may be gone already. Who leaves
// takes no signal: one to all is another's.
s64 call_exit(struct thread *thread, const u64 *arg) {
    struct space *space = thread->process->space;
    u32 zero = 0;
    signal_block(thread, ~0ull);
    if (!robust_walk(thread)) return call_again(thread);
    if (thread->clear_tid && copy_to_user(user(thread->clear_tid), &zero, sizeof zero))
        futex_wake_one(futex_key(space, thread->clear_tid, 0));
    if (thread_leave(thread)) call_exit_group(thread, arg);
    signals_end(thread);
    thread->ended = true;
    return 0;
}

s64 call_exit_group(struct thread *thread, const u64 *arg) {
    program_ends();
    power_end((int)(arg[0] & 255));
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
