// Who a process is: its number, its parent's, its group and its session.
#include "kernel/call/call.h"

s64 call_getpid(struct thread *thread, const u64 *arg) { return thread->process->id; }

s64 call_getppid(struct thread *thread, const u64 *arg) {
    return __atomic_load_n(&thread->process->parent_id, __ATOMIC_RELAXED);
}

s64 call_getpgrp(struct thread *thread, const u64 *arg) { return thread->process->group; }

// A field of a process, or of the caller for 0; under the lock of the threads.
static const struct process *groups_find(struct thread *thread, s32 pid) {
    if (pid == 0) return thread->process;
    if (pid < 0) return NULL;
    return process_of((u32)pid);
}

s64 call_getpgid(struct thread *thread, const u64 *arg) {
    s64 result = -ESRCH;
    lock_take(&threads_lock);
    const struct process *process = groups_find(thread, (s32)arg[0]);
    if (process) result = process->group;
    lock_give(&threads_lock);
    return result;
}

s64 call_getsid(struct thread *thread, const u64 *arg) {
    s64 result = -ESRCH;
    lock_take(&threads_lock);
    const struct process *process = groups_find(thread, (s32)arg[0]);
    if (process) result = process->session;
    lock_give(&threads_lock);
    return result;
}

// A process may move itself and its children, until these run another program, within the session.
static s64 groups_move(struct process *self, u32 pid, u32 group) {
    struct process *process = process_find(pid);
    if (!process) return -ESRCH;
    if (process != self && process->parent != self) return -ESRCH;
    if (process->session != self->session) return -EPERM;
    if (process != self && process->has_executed) return -EACCES;
    if (process->session == process->id) return -EPERM;
    const struct process *member = process_member(group, 0);
    if (group != pid && (!member || member->session != self->session)) return -EPERM;
    process_set_group(process, group);
    return 0;
}

// setpgid(int process, int group)
s64 call_setpgid(struct thread *thread, const u64 *arg) {
    u32 pid = (u32)arg[0];
    u32 group = (u32)arg[1];
    if (!pid) pid = thread->process->id;
    if (!group) group = pid;
    if ((s32)group < 0) return -EINVAL;
    lock_take(&threads_lock);
    s64 error = groups_move(thread->process, pid, group);
    lock_give(&threads_lock);
    return error;
}

// Who leads a group, or whose number a group has, cannot begin a session.
s64 call_setsid(struct thread *thread, const u64 *arg) {
    struct process *process = thread->process;
    s64 result = -EPERM;
    lock_take(&threads_lock);
    if (!process_member(process->id, 0)) {
        process->session = process->id;
        process_set_group(process, process->id);
        result = process->id;
    }
    lock_give(&threads_lock);
    return result;
}
