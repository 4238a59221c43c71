// What becomes of a process, and that its parent hears of it: it stops, is continued, or dies.
// Threads see it before they return to the program (signal_is_due()).
#include <asm/siginfo.h>
#include <linux/signal.h>
#include "kernel/cpu/cpus.h"
#include "kernel/thread/signals.h"

#define WAKES   64   // threads at once
#define MEMBERS 1000 // of a group, or threads, that are looked at

void process_describe(u32 id, enum event event, s32 status, struct signal_info *info) {
    static const s32 codes[] = {[EVENT_STOPPED] = CLD_STOPPED, [EVENT_CONTINUED] = CLD_CONTINUED};
    s32 value = status >> 8 & 0xff;
    info->code = codes[event];
    if (event == EVENT_ENDED) info->code = CLD_EXITED;
    if (event == EVENT_ENDED && status & 0x7f) {
        info->code = CLD_KILLED;
        value = status & 0x7f;
    }
    if (event == EVENT_CONTINUED) value = SIGCONT;
    info->data[0] = id;
    info->data[1] = (u32)value;
}

void process_tell(struct process *process, enum event event, s32 status) {
    struct process *parent = process->parent;
    struct signal_info info = {.signal = SIGCHLD};
    process->event = event;
    process->status = status;
    if (!parent) return;
    if (event == EVENT_ENDED) info.signal = (s32)process->exit_signal;
    bool is_wanted =
        event == EVENT_ENDED || !(parent->handlers->actions[SIGCHLD].flags & SA_NOCLDSTOP);
    process_describe(process->id, event, status, &info);
    if (info.signal && is_wanted) (void)signal_tell(parent, NULL, &info);
    wait_wake(&parent->changed);
}

// CPUs that run its threads have them enter the kernel.
static void process_call_in(const struct process *process) {
    for (unsigned n = 0; n < cpus_online(); n++) {
        const struct thread *thread = (struct thread *)cpu_number(n)->current;
        if (n != this_cpu()->number && thread && thread->process == process) ipi_send(n);
    }
}

bool process_is_orphaned(const struct process *process) {
    const struct process *member = process_member(process->group, 0);
    for (int i = 0; member && i < MEMBERS; i++) {
        const struct process *parent = member->parent;
        bool has_keeper = parent && parent->group != process->group &&
                          parent->session == process->session && !member->is_dead;
        if (has_keeper) return false;
        member = process_member(process->group, member->id + 1);
    }
    return true;
}

void process_stop(struct process *process, int signal) {
    if (process->halts & (HALT_DIES | HALT_STOPPED)) return;
    process->halts |= HALT_STOPPED;
    process_call_in(process);
    process_tell(process, EVENT_STOPPED, signal << 8 | 0x7f);
}

void process_continue(struct process *process, bool tells) {
    if (!(process->halts & HALT_STOPPED)) return;
    process->halts &= ~HALT_STOPPED;
    wait_wake(&process->goes_on);
    // What came meanwhile is taken now.
    signal_ask(process);
    struct thread *thread = thread_from(process, 0);
    for (int i = 0; thread && i < MEMBERS; i++) {
        if (thread->signals_pending) thread_wake(thread);
        thread = thread_from(process, thread->tid + 1);
    }
    if (tells) process_tell(process, EVENT_CONTINUED, 0xffff);
}

void process_die(struct process *process, s32 status) {
    if (process->halts & HALT_DIES) return;
    process_continue(process, false);
    process->halts |= HALT_DIES;
    process->status = status;
    process->event = EVENT_NONE;
    process->woken = 0;
}

bool process_wake_dying(struct process *process) {
    struct thread *thread = NULL;
    for (int i = 0; i < WAKES; i++) {
        thread = thread_from(process, process->woken + 1);
        if (!thread) return true;
        process->woken = thread->tid;
        thread_wake(thread);
    }
    return false;
}
