// What is done about signals that are due, before the thread goes back to the program: those that
// nobody handles end it or do nothing, for a handler there is a frame. A call in which the thread
// waits ends first, and is made anew behind the handler where Linux does that (signal(7)).
#include <linux/signal.h>
#include "kernel/process/frame.h"
#include "kernel/process/program.h"

#define SYSCALL_BYTES 2 // of the instruction

static bool is_handler(const struct signal_action *action) {
    return action->handler != (u64)SIG_DFL && action->handler != (u64)SIG_IGN;
}

// The interrupted call is made anew, or ends with EINTR. Its number is still in rax. action: of the
// handler; NULL: none runs, since another thread was faster, and what was blocked for the call
// alone is blocked no longer.
static void signal_end_call(struct thread *thread, const struct signal_action *action) {
    struct registers *regs = &thread->context.regs;
    bool again = !action || (action->flags & SA_RESTART && thread->on_signal == CALL_RESTARTS);
    if (!action && thread->has_saved && !thread->waiting) {
        thread->has_saved = false;
        signal_block_asked(thread, thread->signals_saved);
    }
    if (!thread->restarts) return;
    thread->restarts = false;
    if (again)
        regs->rip -= SYSCALL_BYTES;
    else
        regs->rax = (u64)-EINTR;
}

// Structures that are wrong end the program, as a frame that has no place does. False: it ends.
static bool rseq_update_or_die(struct thread *thread) {
    thread->rseq.is_stale = false;
    if (!thread->rseq.at || rseq_update(thread)) return true;
    signal_kill_at(thread, SIGSEGV, "a wrong struct rseq, or rseq_cs");
    return false;
}

// The handler's frame, and what it has blocked. False: the frame has no place.
static bool signal_handle(struct thread *thread, const struct signal_info *info,
                          const struct signal_action *action) {
    u64 blocked = thread->signals_blocked | action->mask;
    signal_end_call(thread, action);
    if (!rseq_update_or_die(thread)) return true;
    thread->faults = thread->counts.faults;
    if (!frame_make(thread, info, action)) return false;
    thread->has_saved = false;
    if (!(action->flags & SA_NODEFER)) blocked |= signal_bit(info->signal);
    signal_block_asked(thread, blocked);
    return true;
}

// What a signal does that the thread itself has caused, unless that is to end the program: its
// handler. Blocked ones have none.
static bool signal_caught(struct thread *thread, int signal, struct signal_action *action) {
    struct signal_action *actions = thread->process->handlers->actions;
    lock_take(&threads_lock);
    *action = actions[signal];
    bool catches = is_handler(action) && !(thread->signals_blocked & signal_bit(signal));
    if (catches && action->flags & SA_RESETHAND) actions[signal].handler = (u64)SIG_DFL;
    lock_give(&threads_lock);
    return catches;
}

bool signal_catch(struct thread *thread, const struct signal_info *info) {
    struct signal_action action;
    struct signal_info worse = {.signal = SIGSEGV, .code = SI_KERNEL};
    if (!signal_caught(thread, info->signal, &action)) return false;
    if (signal_handle(thread, info, &action)) return true;
    // As Linux: a handler of SIGSEGV may have a stack of its own; but not one of itself.
    if (info->signal != SIGSEGV && signal_caught(thread, SIGSEGV, &action) &&
        signal_handle(thread, &worse, &action))
        return true;
    signal_kill_at(thread, SIGSEGV, "a signal's frame or handler has no place");
    return true;
}

// Ends the call that the thread waits in; more often than once if that takes pieces.
static void signal_interrupt(struct thread *thread) {
    if (thread->again) return;
    thread->interrupted = true;
    thread_hooks->call(thread);
}

static void signal_default(struct thread *thread, int signal) {
    if (signal_harmless(signal)) return;
    if (!(signal_bit(signal) & SIGNALS_STOP)) {
        signal_kill(thread, signal);
        return;
    }
    lock_take(&threads_lock);
    // The terminal's cannot stop those whom nobody could continue.
    if (signal == SIGSTOP || !process_is_orphaned(thread->process))
        process_stop(thread->process, signal);
    lock_give(&threads_lock);
    (void)signal_search();
}

static void signal_take_one(struct thread *thread) {
    struct signal_info info;
    struct signal_action action;
    int signal = signal_take(thread, ~thread->signals_blocked, &info, &action);
    if (!signal || action.handler == (u64)SIG_IGN) return;
    if (!is_handler(&action)) {
        signal_default(thread, signal);
        return;
    }
    if (signal_handle(thread, &info, &action)) return;
    struct signal_info worse = {.signal = SIGSEGV, .code = SI_KERNEL};
    if (signal == SIGSEGV || !signal_catch(thread, &worse))
        signal_kill_at(thread, SIGSEGV, "a signal's frame or handler has no place");
}

// What its process does comes before its signals. A call that the thread waits in ends first if it
// is to end, or else goes on while it stands still. True: it does not go on.
static bool signal_halt(struct thread *thread) {
    struct process *process = thread->process;
    if (thread->is_held) (void)wait_leave(thread, 1); // it is in one queue
    thread->is_held = false;
    bool is_executor = process->halts & HALT_EXECUTES && process->executor == thread->tid;
    bool dies = process->halts & HALT_DIES || (process->halts & HALT_EXECUTES && !is_executor);
    if (dies && thread->waiting) {
        signal_interrupt(thread);
        return true;
    }
    if (dies) exit_begin(thread);
    if (dies) return true;
    if (!(process->halts & HALT_STOPPED)) return false;
    if (thread->waiting) return true; // its signals wait, too
    thread->is_held = wait_join(thread, &process->goes_on, NULL);
    if (!(__atomic_load_n(&process->halts, __ATOMIC_SEQ_CST) & HALT_STOPPED)) thread_wake(thread);
    return true;
}

// One thing at a time: each can make a page, and thousands of signals can be due. Others have their
// turn in between.
void signal_deliver(struct thread *thread) {
    if (thread->leaving) return;
    if ((thread->process->halts || thread->is_held) && signal_halt(thread)) return;
    int signal = signal_next(thread);
    if (thread->rseq.is_stale && !thread->waiting) {
        (void)rseq_update_or_die(thread);
        return;
    }
    const struct signal_action *action = &thread->process->handlers->actions[signal];
    if (signal && thread->waiting && is_handler(action)) {
        if (!thread->is_deaf) signal_interrupt(thread);
        return;
    }
    if (signal) signal_take_one(thread);
    // The end of the process, too, would not come to a thread that goes on to wait.
    if (thread->process->halts & HALT_DIES) (void)signal_halt(thread);
    if (!signal_next(thread)) signal_end_call(thread, NULL);
}
