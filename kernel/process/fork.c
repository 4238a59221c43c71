// New threads, and new processes: what these have in common with the one that makes them, and what
// they have copies of. A space is copied in pieces; until the new process has its thread it is in
// its parent's list, and nothing is told of it.
#include "kernel/process/fork.h"

#include <linux/sched.h>
#include <linux/signal.h>
#include "kernel/cpu/cpus.h"
#include "kernel/file/files.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/process/program.h"

#define PROCESSES_MOST (SPACE_NUMBERS / 2)

// How far a call is, in its record: index. few[0]: the new process.
enum { BEGINS, COPIES, GIVES_UP, AWAITS };

static void clone_registers(struct thread *child, const struct clone *wanted) {
    u32 tid = child->tid;
    child->context.regs.rax = 0;
    if (wanted->stack) child->context.regs.rsp = wanted->stack;
    if (wanted->flags & CLONE_SETTLS) {
        child->context.segments.fs_base = wanted->tls;
        child->context.segments.selectors.fs = 0;
    }
    if (wanted->flags & CLONE_CHILD_CLEARTID) child->clear_tid = wanted->child_tid.at;
    // As on Linux, a place that cannot be written is left alone.
    if (wanted->flags & CLONE_PARENT_SETTID) put_user(wanted->parent_tid, &tid, sizeof tid);
}

s64 clone_thread(struct thread *thread, const struct clone *wanted) {
    struct thread *child = thread_make(thread->process, thread);
    if (!child) return -EAGAIN;
    u32 tid = child->tid;
    clone_registers(child, wanted);
    if (wanted->flags & CLONE_CHILD_SETTID) put_user(wanted->child_tid, &tid, sizeof tid);
    thread_start(child);
    return tid;
}

// What the new process has before its memory. False: no memory.
static bool clone_begin(struct thread *thread, struct process *child, u64 flags) {
    struct process *process = thread->process;
    child->image = process->image;
    child->kept = process->kept;
    child->credentials = process->credentials;
    limits_init(&child->limits, &process->limits);
    lock_take(&threads_lock);
    if (flags & CLONE_SIGHAND) {
        process_share_handlers(child, process);
    } else {
        memcpy(child->handlers->actions, process->handlers->actions,
               sizeof child->handlers->actions);
    }
    lock_give(&threads_lock);
    if (flags & CLONE_CLEAR_SIGHAND) process_reset_handlers(child);
    if (flags & CLONE_VM) {
        child->space = process->space;
        space_hold(child->space);
    } else {
        child->space = space_new();
        if (child->space) child->space->owner = child->id;
    }
    if (flags & CLONE_FILES) {
        child->files = process->files;
        files_hold(child->files);
    } else {
        child->files = files_copy(process->files);
    }
    return child->space && child->files;
}

// A process that was not to be goes, in pieces. True: nothing is left of it.
static bool clone_give_up(struct process *child) {
    if (!files_leave(child)) return false;
    struct space *space = child->space;
    bool is_own = space && (space->users == 1 || space_leave(space));
    if (is_own) {
        space->users = 1; // until it is empty
        if (!space_empty(space)) return false;
    }
    child->space = NULL;
    lock_take(&threads_lock);
    process_remove(child);
    lock_give(&threads_lock);
    return true;
}

// The process has all but its thread, which begins as a copy of its maker.
static s64 clone_end(struct thread *thread, struct process *process, const struct clone *wanted) {
    struct thread *child = thread_make(process, thread);
    if (!child) return -EAGAIN;
    u64 flags = wanted->flags;
    u32 tid = child->tid;
    clone_registers(child, wanted);
    child->context.tlb = &process->space->tlb;
    bool is_apart = flags & CLONE_VM && !(flags & CLONE_VFORK);
    if (!is_apart) child->signal_stack = thread->signal_stack;
    if (!(flags & CLONE_VM)) child->rseq = thread->rseq;
    if (flags & CLONE_CHILD_SETTID) { // in its own memory: it does so itself, before all else
        child->record.few[0] = wanted->child_tid.at;
        child->leaving = THREAD_BORN;
        child->waiting = true;
    }
    if (flags & CLONE_VFORK) {
        lock_take(&threads_lock);
        process->holds++; // for the one that waits for it
        lock_give(&threads_lock);
    }
    thread_start(child);
    return tid;
}

// Until the new process is another program or has ended, or this one is to end itself.
static s64 clone_await(struct thread *thread, struct process *child) {
    bool is_over = __atomic_load_n(&child->has_executed, __ATOMIC_SEQ_CST) ||
                   __atomic_load_n(&child->is_dead, __ATOMIC_SEQ_CST);
    if (!is_over && !thread->interrupted) return wait_for(thread, &child->released);
    if (sorted_in(&thread->waiter.node)) (void)wait_leave(thread, 1);
    u32 id = child->id;
    thread->is_deaf = false;
    lock_take(&threads_lock);
    process_drop(child);
    lock_give(&threads_lock);
    return id;
}

static s64 clone_make(struct thread *thread, const struct clone *wanted) {
    struct record *record = &thread->record;
    struct process *parent = thread->process;
    if (wanted->flags & CLONE_PARENT && parent->parent) parent = parent->parent;
    if (processes_count() >= PROCESSES_MOST) return -EAGAIN;
    struct process *child = process_make(parent);
    if (!child) return -ENOMEM;
    child->exit_signal = wanted->exit_signal;
    if (parent != thread->process) child->exit_signal = thread->process->exit_signal;
    record->begun = true;
    record->few[0] = (u64)child;
    record->few[1] = (u64)-ENOMEM;
    record->index = GIVES_UP;
    if (clone_begin(thread, child, wanted->flags)) record->index = COPIES;
    return 0;
}

s64 clone_process(struct thread *thread, const struct clone *wanted) {
    struct record *record = &thread->record;
    if (!record->begun) {
        s64 error = clone_make(thread, wanted);
        if (error) return error;
    }
    struct process *child = (struct process *)record->few[0];
    s64 result = 0;
    if (record->index == COPIES) {
        if (!(wanted->flags & CLONE_VM))
            result = space_copy(thread, thread->process->space, child->space);
        if (result == CALL_WAITS) return result;
        if (!result) result = clone_end(thread, child, wanted);
        record->index = AWAITS;
        if (result < 0) record->index = GIVES_UP;
        record->few[1] = (u64)result;
        thread->is_deaf = wanted->flags & CLONE_VFORK && result > 0;
    }
    if (record->index == GIVES_UP && !clone_give_up(child)) return call_again(thread);
    if (thread->is_deaf) return clone_await(thread, child);
    return (s64)record->few[1];
}
