// How the program dies of a signal: with a report that names places by the program's own symbols.
#include <linux/signal.h>
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
        if (!copy_from_user(&word, user(sp + 8 * (u64)i), sizeof word)) return;
        if (!program_place(process, text, sizeof text, word)) continue;
        log_error("  rsp+0x%03x: %s", 8 * i, text);
        shown++;
    }
}

// The end of the first process is the end of everything.
static void signal_end(struct process *process, int signal) {
    if (!process->parent) power_end(128 + signal);
    lock_take(&threads_lock);
    process_die(process, signal);
    lock_give(&threads_lock);
}

void signal_kill(struct thread *thread, int signal) {
    struct process *process = thread->process;
    if (process->parent) {
        log("process %u was killed by signal %d (%s)", process->id, signal, signal_name(signal));
    } else {
        program_ends();
        log_error("the program was killed by signal %d (%s)", signal, signal_name(signal));
    }
    signal_end(process, signal);
}

void signal_kill_at(const struct thread *thread, int signal, const char *what) {
    const struct registers *r = &thread->context.regs;
    char at[PLACE];
    char who[24] = "the program";
    struct process *process = thread->process;
    program_place(process, at, sizeof at, r->rip);
    if (process->parent)
        format(who, sizeof who, "process %u", process->id);
    else
        program_ends();
    log_error("%s died of signal %d (%s): %s at %s", who, signal, signal_name(signal), what, at);
    registers_say(r, log_error);
    signal_report_callers(process, r->rsp);
    signal_end(process, signal);
}
