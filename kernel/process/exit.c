// How threads and processes end. A thread's last call goes in steps, each as often as it takes:
// its locks are given up, and the others of its process are told if all are to end; the last thread
// closes the files and empties the memory, gives its children to the first process, and tells the
// parent, which finds the process until it has waited for it.
#include <linux/signal.h>
#include "kernel/cpu/cpus.h"
#include "kernel/device/devices.h"
#include "kernel/file/files.h"
#include "kernel/kernel.h"
#include "kernel/process/futex.h"
#include "kernel/process/program.h"

#define CHILDREN 100 // that find another parent at once

enum step {
    STAYS,
    WAKES_OTHERS,
    GIVES_LOCKS,
    LEAVES,
    CLOSES_FILES,
    EMPTIES_MEMORY,
    GIVES_CHILDREN,
    TELLS
};

void exit_begin(struct thread *thread) {
    signal_block(thread, ~0ull);
    thread->leaving = WAKES_OTHERS;
    thread->record.begun = false;
    thread->record.done = 0;
    thread->waiting = thread->again = true;
    thread->is_done = false;
}

void exit_process(struct thread *thread, s32 status) {
    struct process *process = thread->process;
    if (!process->parent) {
        program_ends();
        power_end(status >> 8 & 255);
    }
    lock_take(&threads_lock);
    process_die(process, status);
    lock_give(&threads_lock);
}

static bool exit_wake_others(struct thread *thread) {
    struct process *process = thread->process;
    lock_take(&threads_lock);
    bool is_done = !(process->halts & HALT_DIES) || process_wake_dying(process);
    lock_give(&threads_lock);
    return is_done;
}

bool exit_give_locks(struct thread *thread) {
    u32 zero = 0;
    if (!robust_walk(thread)) return false;
    if (thread->clear_tid && !copy_to_user(user(thread->clear_tid), &zero, sizeof zero))
        thread->clear_tid = 0;
    if (thread->clear_tid) futex_wake_one(futex_key(thread->process->space, thread->clear_tid, 0));
    return true;
}

// Of a thread that is not the last one nothing is left to be done.
static bool exit_leave(struct thread *thread) {
    struct process *process = thread->process;
    bool is_last = thread_leave(thread); // with what it had
    signals_end(thread);
    if (is_last && !process->parent) exit_process(thread, thread->exit_status);
    wait_wake(&process->released); // one of them may be about to run another program
    thread->ended = !is_last;
    return true;
}

static bool exit_empty_memory(struct thread *thread) {
    struct process *process = thread->process;
    if (thread->context.tlb != &tlb_first) {
        bool is_last = space_leave(process->space);
        thread->context.tlb = &tlb_first; // what the kernel has is all that it needs from here on
        (void)tlb_leave();
        tlb_enter(&tlb_first);
        if (is_last)
            space_end(process->space);
        else
            process->space = NULL;
    }
    if (process->space && !space_empty(process->space)) return false;
    process->space = NULL;
    return true;
}

// Whether the parent has said that it does not want to wait for it.
static bool exit_is_unwanted(const struct process *process) {
    const struct signal_action *action = &process->parent->handlers->actions[SIGCHLD];
    bool ignores = action->handler == (u64)SIG_IGN || action->flags & SA_NOCLDWAIT;
    return process->exit_signal == SIGCHLD && ignores;
}

// To the nearest ancestor that wants them, else to the first process.
static struct process *exit_heir(const struct process *process) {
    struct process *heir = process->parent;
    while (heir->parent && (!heir->is_subreaper || heir->is_dead)) heir = heir->parent;
    return heir;
}

static bool exit_give_children(struct process *process) {
    struct process *child = NULL;
    lock_take(&threads_lock);
    struct process *heir = exit_heir(process);
    for (int i = 0; i < CHILDREN && (child = process_child(process, 0)); i++) {
        const struct signal_info info = {.signal = (s32)child->death_signal};
        process_adopt(child, heir);
        child->exit_signal = SIGCHLD; // what the heir expects
        if (info.signal) (void)signal_put_to(child, NULL, &info);
        if (!child->is_dead) continue;
        process_tell(child, EVENT_ENDED, child->status);
        if (exit_is_unwanted(child)) process_remove(child);
    }
    lock_give(&threads_lock);
    (void)signal_search();
    return !child;
}

static bool exit_tell(struct thread *thread) {
    struct process *process = thread->process;
    alarms_end(process, true);
    lock_take(&threads_lock);
    if (!(process->halts & HALT_DIES)) process->status = thread->exit_status;
    process->is_dead = true;
    signals_forget_all(process);
    process_tell(process, EVENT_ENDED, process->status);
    wait_wake(&process->released);
    if (exit_is_unwanted(process)) process_remove(process);
    lock_give(&threads_lock);
    (void)signal_search();
    thread->ended = true;
    return true;
}

static bool exit_do(struct thread *thread) {
    struct process *process = thread->process;
    switch ((enum step)thread->leaving) {
    case STAYS: panic("a thread that stays leaves");
    case WAKES_OTHERS: return exit_wake_others(thread);
    case GIVES_LOCKS: return exit_give_locks(thread);
    case LEAVES: return exit_leave(thread);
    case CLOSES_FILES: return files_leave(process);
    case EMPTIES_MEMORY: return exit_empty_memory(thread);
    case GIVES_CHILDREN: return exit_give_children(process);
    case TELLS: return exit_tell(thread);
    }
    return true;
}

s64 exit_step(struct thread *thread) {
    while (exit_do(thread)) {
        thread->leaving++;
        if (thread->ended) return 0;
    }
    return call_again(thread);
}
