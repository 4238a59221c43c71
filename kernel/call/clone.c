// What makes threads and processes: clone(2) and its like decoded; process/fork.c performs them.
#include <linux/sched.h>
#include <linux/signal.h>
#include "kernel/call/call.h"
#include "kernel/process/fork.h"

// Of these, all that threads of one process have in common.
#define CLONE_NEEDED (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
#define CLONE_NEW                                                                                  \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)
#define CLONE_TIDS (CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)
// Directories, semaphores and I/O priorities that a process could have of its own are none here.
#define CLONE_WITHOUT_EFFECT                                                                       \
    (CLONE_FS | CLONE_SYSVSEM | CLONE_IO | CLONE_PTRACE | CLONE_UNTRACED | CLONE_DETACHED)
#define CLONE_BUILT                                                                                \
    (CLONE_NEEDED | CLONE_WITHOUT_EFFECT | CLONE_TIDS | CLONE_SETTLS | CLONE_FILES | CLONE_VFORK | \
     CLONE_PARENT | CLONE_CLEAR_SIGHAND)

// As Linux: what contradicts itself.
static bool clone_makes_sense(u64 flags) {
    bool is_thread = flags & CLONE_THREAD;
    if (is_thread && !(flags & CLONE_SIGHAND)) return false;
    if (flags & CLONE_SIGHAND && !(flags & CLONE_VM)) return false;
    if (flags & CLONE_FS && flags & (CLONE_NEWNS | CLONE_NEWUSER)) return false;
    if (flags & CLONE_SIGHAND && flags & CLONE_CLEAR_SIGHAND) return false;
    return !(is_thread && flags & (CLONE_NEWUSER | CLONE_NEWPID | CLONE_PIDFD));
}

static s64 clone_do(struct thread *thread, const struct clone *wanted) {
    u64 flags = wanted->flags;
    if (!clone_makes_sense(flags)) return -EINVAL;
    if (flags & CLONE_PARENT && !thread->process->parent && !(flags & CLONE_THREAD)) return -EINVAL;
    if (flags & CLONE_NEW)
        return refused("clone", "flags", flags, "there are no namespaces", -EPERM);
    if (flags & ~(u64)CLONE_BUILT)
        return refused("clone", "flags", flags, "some of them are not built", -EINVAL);
    if (flags & CLONE_SETTLS && wanted->tls >= USER_END) return -EPERM;
    if (flags & CLONE_THREAD) return clone_thread(thread, wanted);
    return clone_process(thread, wanted);
}

// clone(flags, stack, tid for the parent, tid for the child, TLS)
s64 call_clone(struct thread *thread, const u64 *arg) {
    struct clone wanted = {.flags = (u32)arg[0] & ~(u64)CSIGNAL, .stack = arg[1], .tls = arg[4]};
    wanted.exit_signal = (u32)arg[0] & CSIGNAL;
    wanted.parent_tid = user(arg[2]);
    wanted.child_tid = user(arg[3]);
    if (wanted.exit_signal > SIGNALS) wanted.exit_signal = 0;
    return clone_do(thread, &wanted);
}

s64 call_fork(struct thread *thread, const u64 *arg) {
    const struct clone wanted = {.exit_signal = SIGCHLD};
    return clone_do(thread, &wanted);
}

s64 call_vfork(struct thread *thread, const u64 *arg) {
    const struct clone wanted = {.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD};
    return clone_do(thread, &wanted);
}

// Bytes behind those that are known must be zeroes: what they ask for does not exist here.
static s64 clone_read(struct clone_args *args, u64 from, u64 bytes) {
    u8 rest[64];
    *args = (struct clone_args){0};
    if (!copy_from_user(args, user(from), MIN(bytes, sizeof *args))) return -EFAULT;
    for (u64 at = sizeof *args, part; at < bytes; at += part) {
        part = MIN(bytes - at, sizeof rest);
        if (!copy_from_user(rest, user(from + at), part)) return -EFAULT;
        for (u64 i = 0; i < part; i++)
            if (rest[i]) return -E2BIG;
    }
    return 0;
}

// clone3(arguments, bytes of them). What was begun goes on with what was read then.
s64 call_clone3(struct thread *thread, const u64 *arg) {
    struct clone_args args;
    struct clone *wanted = (struct clone *)&thread->record.few[4];
    _Static_assert(sizeof *wanted <= sizeof(u64) * 12, "they fit into the record");
    if (thread->record.begun) return clone_do(thread, wanted);
    if (arg[1] > PAGE_SIZE) return -E2BIG;
    if (arg[1] < CLONE_ARGS_SIZE_VER0) return -EINVAL;
    s64 error = clone_read(&args, arg[0], arg[1]);
    if (error) return error;
    if (args.set_tid_size || args.flags & CLONE_INTO_CGROUP)
        return refused("clone3", "flags", args.flags, "neither chosen tids nor groups are built",
                       -EPERM);
    bool has_stack = args.stack && args.stack_size;
    if (args.stack_size && !args.stack) return -EINVAL;
    if (args.stack && !args.stack_size) return -EINVAL;
    if (args.exit_signal > SIGNALS || args.flags & (CSIGNAL | CLONE_DETACHED)) return -EINVAL;
    if (args.exit_signal && args.flags & (CLONE_THREAD | CLONE_PARENT)) return -EINVAL;
    if (has_stack && !in_user_range(user(args.stack), args.stack_size)) return -EINVAL;
    *wanted = (struct clone){.flags = args.flags, .tls = args.tls};
    wanted->stack = args.stack + args.stack_size;
    wanted->exit_signal = (u32)args.exit_signal;
    wanted->parent_tid = user(args.parent_tid);
    wanted->child_tid = user(args.child_tid);
    return clone_do(thread, wanted);
}
