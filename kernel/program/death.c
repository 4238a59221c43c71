// How the program dies: an exception becomes the signal Linux would send; without handlers that is the end, with a
// report that names places by the program's own symbols.
#include <asm/signal.h>
#include "kernel/device/devices.h"
#include "kernel/kernel.h"
#include "kernel/lib/print.h"
#include "kernel/memory/frames.h"
#include "kernel/program/program.h"
#include "kernel/program/space.h"
#include "kernel/program/thread.h"

#define VECTOR_PAGE_FAULT 14
#define FAULT_WRITE       (1u << 1) // page-fault error code, SDM 3A 4.7
#define FAULT_FETCH       (1u << 4)
#define STACK_WORDS       8
#define CALLERS           16
#define PLACE             128 // bytes of a place as text

static const struct {
    u8 signal;
    char what[33];
} exceptions[] = {
    [0] = {SIGFPE, "division by zero or overflow"},
    [1] = {SIGTRAP, "debug trap"},
    [3] = {SIGTRAP, "breakpoint"},
    [6] = {SIGILL, "invalid instruction"},
    [11] = {SIGBUS, "segment not present"},
    [12] = {SIGBUS, "stack at a non-canonical address"},
    [13] = {SIGSEGV, "general protection fault"},
    [16] = {SIGFPE, "x87 floating-point error"},
    [17] = {SIGBUS, "misaligned access"},
    [19] = {SIGFPE, "SIMD floating-point error"},
};

// Of the first 15 signals, in their order.
static const char signal_names[][8] = {"0",       "SIGHUP",  "SIGINT",  "SIGQUIT", "SIGILL",  "SIGTRAP",
                                       "SIGABRT", "SIGBUS",  "SIGFPE",  "SIGKILL", "SIGUSR1", "SIGSEGV",
                                       "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM"};

static const char *signal_name(int signal) {
    return signal < (int)ARRAY_SIZE(signal_names) ? signal_names[signal] : "no name";
}

// "main+0x12 (0x401172)", or the address alone when no symbol covers it. Returns whether one did.
static bool place(char *text, u64 address) {
    struct elf_symbol symbol;
    const struct area *area = space_area(address);
    bool code = area && area->rights & AREA_EXEC && area->file_bytes;
    bool found = code && elf_symbol(&program.elf, address - program.bias, &symbol);
    if (found) format(text, PLACE, "%.80s+0x%lx (0x%lx)", symbol.name, symbol.offset, address);
    else format(text, PLACE, "0x%lx", address);
    return found;
}

void program_killed(int signal) {
    log_error("the program was killed by signal %d (%s)", signal, signal_name(signal));
    power_end(128 + signal);
}

static void report_registers(const struct registers *r) {
    log_error("  rax %016lx rbx %016lx rcx %016lx rdx %016lx", r->rax, r->rbx, r->rcx, r->rdx);
    log_error("  rsi %016lx rdi %016lx rbp %016lx rsp %016lx", r->rsi, r->rdi, r->rbp, r->rsp);
    log_error("  r8  %016lx r9  %016lx r10 %016lx r11 %016lx", r->r8, r->r9, r->r10, r->r11);
    log_error("  r12 %016lx r13 %016lx r14 %016lx r15 %016lx", r->r12, r->r13, r->r14, r->r15);
    log_error("  rip %016lx rflags %08lx", r->rip, r->rflags);
}

// The words on top of the stack; those that point into code are places a call may return to.
static void report_stack(u64 sp) {
    char text[PLACE];
    u64 word;
    for (int i = 0; i < STACK_WORDS && copy_from_user(&word, sp + 8 * (u64)i, sizeof word); i++)
        log_error("  rsp+0x%02x: %016lx %s", 8 * i, word, place(text, word) ? text : "");
}

// The chain of frame pointers, as far as it is one: each frame lies above the one before.
static void report_callers(u64 frame, u64 sp) {
    char text[PLACE];
    u64 pair[2]; // the caller's frame, and where it goes on
    for (int i = 0; i < CALLERS && frame >= sp && frame % 8 == 0 && copy_from_user(pair, frame, sizeof pair); i++) {
        if (!place(text, pair[1])) return;
        log_error("  called from %s", text);
        sp = frame + sizeof pair;
        frame = pair[0];
    }
}

static void report_and_end(const struct registers *regs, int signal, const char *what) {
    char at[PLACE];
    place(at, regs->rip);
    log_error("the program died of signal %d (%s): %s at %s", signal, signal_name(signal), what, at);
    report_registers(regs);
    report_stack(regs->rsp);
    report_callers(regs->rbp, regs->rsp);
    power_end(128 + signal);
}

static const char *access_reason(const struct fault *fault, enum space_fault why) {
    const struct area *area = space_area(fault->address);
    if (why == SPACE_STACK_OVERFLOW) return "stack overflow";
    if (why == SPACE_NO_MEMORY) return "out of memory: no page is free for it";
    if (fault->address < PAGE_SIZE) return "null pointer";
    if (why == SPACE_NOTHING_THERE) return "nothing is mapped there";
    if (!area->rights) return "no access is allowed there";
    if (fault->error & FAULT_FETCH) return "data, not executable";
    return area->rights & AREA_EXEC ? "read-only code" : "read-only data";
}

static void page_fault(const struct registers *regs, const struct fault *fault) {
    enum space_fault why = space_fault(fault->address, fault->error);
    if (why == SPACE_MAPPED) return;
    char what[PLACE];
    const char *access = fault->error & FAULT_FETCH ? "jump to" : fault->error & FAULT_WRITE ? "write to" : "read of";
    format(what, sizeof what, "%s address 0x%lx (%s)", access, fault->address, access_reason(fault, why));
    report_and_end(regs, why == SPACE_NO_MEMORY ? SIGBUS : SIGSEGV, what);
}

void program_fault(struct context *context, const struct fault *fault) {
    if (fault->vector == VECTOR_PAGE_FAULT) {
        page_fault(&context->regs, fault);
        return;
    }
    bool known = fault->vector < ARRAY_SIZE(exceptions) && exceptions[fault->vector].signal;
    report_and_end(&context->regs, known ? exceptions[fault->vector].signal : SIGSEGV,
                   known ? exceptions[fault->vector].what : "unexpected exception");
}

bool program_copy_fault(const struct fault *fault) { return space_fault(fault->address, fault->error) == SPACE_MAPPED; }
