// How the program dies of a signal. An exception becomes the signal Linux would send, and ends the
// program with a report that names places by the program's own symbols.
#include <linux/signal.h>
#include "kernel/cpu/cpus.h"
#include "kernel/device/devices.h"
#include "kernel/kernel.h"
#include "kernel/lib/print.h"
#include "kernel/process/program.h"

#define STACK_WORDS 256 // of the stack that are searched for callers
#define CALLERS     16  // that are shown at most
#define PLACE       128 // bytes of a place as text

// Of the first 15 signals, in their order.
static const char *signal_name(int signal) {
    static const char names[][8] = {
        "0",      "SIGHUP",  "SIGINT",  "SIGQUIT", "SIGILL",  "SIGTRAP", "SIGABRT", "SIGBUS",
        "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM"};
    if (signal < (int)ARRAY_SIZE(names)) return names[signal];
    return "no name";
}

void signal_deliver(struct thread *thread) {
    u64 pending = __atomic_load_n(&thread->process->signals.pending, __ATOMIC_RELAXED);
    pending |= __atomic_load_n(&thread->signals_pending, __ATOMIC_RELAXED);
    int signal = __builtin_ctzll(pending & ~thread->signals_blocked) + 1;
    program_ends();
    log_error("the program was killed by signal %d (%s)", signal, signal_name(signal));
    power_end(128 + signal);
}

// Under the lock, so that no sender wakes a thread that then does not take the signal.
void signal_block(struct thread *thread, u64 signals) {
    lock_take(&threads_lock);
    // What came before may have woken this thread alone.
    if (signal_is_due(thread)) signal_deliver(thread);
    thread->signals_blocked = signals;
    lock_give(&threads_lock);
}

void signal_block_asked(struct thread *thread, u64 signals) {
    signal_block(thread, signals & ~SIGNALS_UNMASKABLE);
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
    const struct process *process = NULL;
    if (context) process = ((const struct thread *)context)->process;
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
    int signal = SIGSEGV;
    if (is_bus) signal = SIGBUS;
    char access[PLACE], at[PLACE];
    const char *what = "unexpected exception";
    if (*why) what = access;
    if (known) {
        signal = exceptions[fault->vector].signal;
        what = exceptions[fault->vector].what;
    }
    const char *how = "read of";
    if (fault->error & FAULT_WRITE) how = "write to";
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
