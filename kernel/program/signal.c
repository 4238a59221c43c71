// Signals, and how the program dies of them. An exception becomes the signal Linux would send, and
// ends the program with a report that names places by the program's own symbols. Handlers of the
// program's own are not built; asking for one is refused with ENOSYS rather than taken and never
// called.
#include <linux/signal.h>
#include "kernel/cpu/cpus.h"
#include "kernel/device/devices.h"
#include "kernel/kernel.h"
#include "kernel/lib/print.h"
#include "kernel/program/program.h"

#define STACK_WORDS 256 // of the stack that are searched for callers
#define CALLERS     16  // that are shown at most
#define PLACE       128 // bytes of a place as text

#define BIT(signal) (1ull << ((signal)-1))
#define UNMASKABLE  (BIT(SIGKILL) | BIT(SIGSTOP))
// Ignored by default; stopping is ignored too, since nobody could continue the program.
#define HARMLESS                                                                                   \
    (BIT(SIGCHLD) | BIT(SIGURG) | BIT(SIGWINCH) | BIT(SIGCONT) | BIT(SIGSTOP) | BIT(SIGTSTP) |     \
     BIT(SIGTTIN) | BIT(SIGTTOU))
#define SIGSETXID 33   // glibc's own
#define ASKED     1000 // threads in one go, under their lock
#define ACTION_FLAGS                                                                               \
    (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBITS | SA_RESTORER | SA_ONSTACK |     \
     SA_RESTART | SA_NODEFER | SA_RESETHAND)

// Of the first 15 signals, in their order.
static const char *signal_name(int signal) {
    static const char names[][8] = {
        "0",      "SIGHUP",  "SIGINT",  "SIGQUIT", "SIGILL",  "SIGTRAP", "SIGABRT", "SIGBUS",
        "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM"};
    return signal < (int)ARRAY_SIZE(names) ? names[signal] : "no name";
}

struct process *signals_unasked;

bool signal_ignored(const struct process *process, int signal) {
    u64 handler = process->signals.actions[signal].handler;
    return handler == (u64)SIG_IGN || (handler == (u64)SIG_DFL && BIT(signal) & HARMLESS);
}

// Asks some of them, since threads are as many as the program likes, and wakes the first one that
// takes it. Whether there are more to ask.
bool signal_search(void) {
    int asked = 0;
    lock_take(&threads_lock);
    struct process *process = signals_unasked;
    u64 pending = process ? __atomic_load_n(&process->signals.pending, __ATOMIC_RELAXED) : 0;
    struct thread *one = process ? thread_from(process->signals.unasked) : NULL;
    while (one && (one->process != process || !(pending & ~one->signals_blocked)) &&
           asked < ASKED) {
        one = thread_after(one);
        asked++;
    }
    bool more = one && asked == ASKED;
    if (one && !more) thread_wake(one);
    if (process) process->signals.unasked = more ? one->tid : 0;
    __atomic_store_n(&signals_unasked, more ? process : NULL, __ATOMIC_RELAXED);
    lock_give(&threads_lock);
    return more;
}

// Under the lock of the threads.
static void signal_ask(struct process *process) {
    process->signals.unasked = 1;
    __atomic_store_n(&signals_unasked, process, __ATOMIC_RELAXED);
}

s64 signal_send(struct process *process, u32 tid, int signal) {
    bool known = signal >= 0 && signal <= SIGNALS;
    lock_take(&threads_lock);
    struct thread *to = tid ? thread_find(tid) : NULL;
    bool exists = to || !tid;
    if (exists && known && signal && !signal_ignored(to ? to->process : process, signal)) {
        __atomic_fetch_or(to ? &to->signals_pending : &process->signals.pending, BIT(signal),
                          __ATOMIC_SEQ_CST);
        if (to)
            thread_wake(to);
        else
            signal_ask(process);
    }
    lock_give(&threads_lock);
    if (!tid) (void)signal_search();
    if (!exists) return -ESRCH;
    return known ? 0 : -EINVAL;
}

void signal_deliver(struct thread *thread) {
    u64 pending = __atomic_load_n(&thread->process->signals.pending, __ATOMIC_RELAXED);
    pending |= __atomic_load_n(&thread->signals_pending, __ATOMIC_RELAXED);
    pending &= ~thread->signals_blocked;
    if (!pending) return;
    int signal = __builtin_ctzll(pending) + 1;
    program_ends();
    log_error("the program was killed by signal %d (%s)", signal, signal_name(signal));
    power_end(128 + signal);
}

// Under the lock, so that no sender wakes a thread that then does not take the signal.
void signal_block(struct thread *thread, u64 signals) {
    lock_take(&threads_lock);
    signal_deliver(thread); // what came before may have woken this thread alone
    thread->signals_blocked = signals;
    lock_give(&threads_lock);
}

void signal_block_asked(struct thread *thread, u64 signals) {
    signal_block(thread, signals & ~UNMASKABLE);
}

s64 signal_act(struct process *process, int signal, const struct signal_action *wanted,
               struct signal_action *before) {
    static bool named;
    bool known = signal > 0 && signal <= SIGNALS;
    if (!known || (wanted && BIT(signal) & UNMASKABLE)) return -EINVAL;
    if (wanted && wanted->handler != (u64)SIG_DFL && wanted->handler != (u64)SIG_IGN) {
        bool asked_by_glibc = signal == SIGSETXID &&
                              !wanted->mask; // for every program with threads, which never use it
        if (asked_by_glibc || __atomic_exchange_n(&named, true, __ATOMIC_RELAXED)) return -ENOSYS;
        return refused("rt_sigaction", "a handler for signal", (u64)signal, "no handlers are built",
                       -ENOSYS);
    }
    lock_take(&threads_lock);
    struct signal_action *action = &process->signals.actions[signal];
    *before = *action;
    if (wanted) {
        *action = *wanted;
        action->flags &= ACTION_FLAGS;
        action->mask &= ~UNMASKABLE;
    }
    lock_give(&threads_lock);
    return 0;
}

u32 signal_forget(struct process *process, int signal, u32 tid) {
    lock_take(&threads_lock);
    __atomic_fetch_and(&process->signals.pending, ~BIT(signal), __ATOMIC_RELAXED);
    struct thread *one = thread_from(tid);
    for (int asked = 0; one && asked < ASKED; asked++) {
        if (one->process == process)
            __atomic_fetch_and(&one->signals_pending, ~BIT(signal), __ATOMIC_RELAXED);
        one = thread_after(one);
    }
    u32 next = one ? one->tid : 0;
    lock_give(&threads_lock);
    return next;
}

static const struct {
    u8 signal;
    char what[33];
} exceptions[] = {
    [0] = {SIGFPE, "division by zero or overflow"},
    [1] = {SIGTRAP, "debug trap"},
    [3] = {SIGTRAP, "breakpoint"},
    [6] = {SIGILL, "invalid instruction"},
    [12] = {SIGBUS, "stack at a non-canonical address"},
    [13] = {SIGSEGV, "general protection fault"},
    [16] = {SIGFPE, "x87 floating-point error"},
    [17] = {SIGBUS, "misaligned access"},
    [19] = {SIGFPE, "SIMD floating-point error"},
};

static bool image_symbol(const struct image *image, u64 address, struct elf_symbol *symbol) {
    return address - image->low < image->high - image->low &&
           elf_symbol(&image->symbols, address - image->bias, symbol);
}

bool program_place(const struct process *process, char *text, size_t size, u64 address) {
    struct elf_symbol symbol;
    bool found = process && image_symbol(&process->image, address, &symbol);
    if (found)
        format(text, size, "%.80s+0x%lx (0x%lx)", symbol.name, symbol.offset, address);
    else
        format(text, size, "0x%lx", address);
    return found;
}

bool program_place_in(const struct context *context, char *text, size_t size, u64 address) {
    const struct process *process = context ? ((const struct thread *)context)->process : NULL;
    return program_place(process, text, size, address);
}

// Words on the stack that point into code are, newest first, the places calls may return to: nearly
// every one does.
static void signal_report_callers(const struct process *process, u64 sp) {
    char text[PLACE];
    u64 word;
    for (int i = 0, shown = 0; i < STACK_WORDS && shown < CALLERS; i++) {
        if (!copy_from_user(&word, sp + 8 * (u64)i, sizeof word)) return;
        if (!program_place(process, text, sizeof text, word)) continue;
        log_error("  rsp+0x%03x: %s", 8 * i, text);
        shown++;
    }
}

const char *fault_handle(struct thread *thread, u64 rip, const struct fault *fault) {
    u64 forgot = this_cpu()->tlb_forgot;
    const char *why = space_fault(thread->process->space, fault->address, fault->error);
    if (why) return why;
    count_fault();
    if (this_cpu()->tlb_forgot == forgot) return NULL; // it did something about it
    if (!fault_repeats(&thread->repeats, rip, fault->address, tlb_generation(thread->context.tlb)))
        return NULL;
    return "which its page allows; it comes again and again";
}

void program_fault(struct context *context, const struct fault *fault) {
    const struct registers *r = &context->regs;
    struct thread *thread = (struct thread *)context;
    if (vsyscall_emulate(thread, fault)) return;
    const char *why = "";
    if (fault->vector == VECTOR_PF) why = fault_handle(thread, r->rip, fault);
    if (!why) return;
    bool known = fault->vector < ARRAY_SIZE(exceptions) && exceptions[fault->vector].signal;
    bool is_bus = why == space_no_memory || why == space_past_end;
    int signal = is_bus ? SIGBUS : SIGSEGV;
    char access[PLACE], at[PLACE];
    const char *what = *why ? access : "unexpected exception";
    if (known) {
        signal = exceptions[fault->vector].signal;
        what = exceptions[fault->vector].what;
    }
    const char *how = fault->error & FAULT_WRITE ? "write to" : "read of";
    if (fault->error & FAULT_FETCH) how = "jump to";
    format(access, PLACE, "%s address 0x%lx (%s)", how, fault->address, why);
    program_place(thread->process, at, sizeof at, r->rip);
    program_ends();
    log_error("the program died of signal %d (%s): %s at %s", signal, signal_name(signal), what,
              at);
    registers_say(r, log_error);
    signal_report_callers(thread->process, r->rsp);
    power_end(128 + signal);
}
