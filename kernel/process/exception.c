// Exceptions of the program. A page fault may only want a page; what else is wrong becomes the
// signal that Linux sends, with the same code and address, for a handler or for the end of the
// program.
#include <asm/siginfo.h>
#include <linux/signal.h>
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/x86.h"
#include "kernel/lib/print.h"
#include "kernel/process/program.h"

#define TEXT 128 // bytes of what happened, as text

// Of the status words of the x87 and SSE units: exceptions, unmasked ones of which were raised.
#define FP_INVALID   0x01
#define FP_ZERO      0x04
#define FP_OVERFLOW  0x08
#define FP_UNDERFLOW 0x12 // and a denormal operand
#define FP_INEXACT   0x20

static const struct {
    u8 signal;
    s32 code;
    bool has_address; // siginfo has the instruction's, else 0
    char what[33];
} exceptions[] = {
    [0] = {SIGFPE, FPE_INTDIV, true, "division by zero or overflow"},
    [1] = {SIGTRAP, TRAP_BRKPT, true, "debug trap"},
    [3] = {SIGTRAP, SI_KERNEL, false, "breakpoint"},
    [4] = {SIGSEGV, SI_KERNEL, false, "overflow trap"},
    [6] = {SIGILL, ILL_ILLOPN, true, "invalid instruction"},
    [12] = {SIGBUS, SI_KERNEL, false, "stack at a non-canonical address"},
    [13] = {SIGSEGV, SI_KERNEL, false, "general protection fault"},
    [16] = {SIGFPE, FPE_FLTINV, true, "x87 floating-point error"},
    [17] = {SIGBUS, BUS_ADRALN, false, "misaligned access"},
    [19] = {SIGFPE, FPE_FLTINV, true, "SIMD floating-point error"},
};

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

static s32 exception_fp_code(u32 raised) {
    if (raised & FP_INVALID) return FPE_FLTINV;
    if (raised & FP_ZERO) return FPE_FLTDIV;
    if (raised & FP_OVERFLOW) return FPE_FLTOVF;
    if (raised & FP_UNDERFLOW) return FPE_FLTUND;
    if (raised & FP_INEXACT) return FPE_FLTRES;
    return 0;
}

// Which floating-point exceptions have raised it: of SSE or of the x87.
static u32 exception_fp_raised(struct thread *thread, bool is_sse) {
    const u16 *area = thread->context.xstate;
    fpu_save(thread->context.xstate);
    u32 control = area[0]; // SDM 1, table 10-2
    u32 status = area[1];
    u32 mxcsr = area[12];
    if (is_sse) return mxcsr & ~(mxcsr >> 7);
    return status & ~control;
}

// Whether a #DB came by RFLAGS.TF. DR6 keeps what was until somebody clears it.
static bool exception_is_step(void) {
    u64 dr6;
    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    __asm__ volatile("mov %0, %%dr6" ::"r"((u64)DR6_NONE));
    return dr6 & DR6_STEP;
}

static struct signal_info exception_info(struct thread *thread, u64 vector) {
    struct signal_info info = {.signal = SIGSEGV, .code = SI_KERNEL};
    if (vector >= ARRAY_SIZE(exceptions) || !exceptions[vector].signal) return info;
    info.signal = exceptions[vector].signal;
    info.code = exceptions[vector].code;
    if (exceptions[vector].has_address) info.data[0] = thread->context.regs.rip;
    if (vector == VECTOR_DB && exception_is_step()) info.code = TRAP_TRACE;
    if (vector == VECTOR_MF || vector == VECTOR_XM)
        info.code = exception_fp_code(exception_fp_raised(thread, vector == VECTOR_XM));
    return info;
}

// Nothing could be done about a page fault.
static struct signal_info exception_page_info(struct thread *thread, const struct fault *fault,
                                              const char *why) {
    struct signal_info info = {.signal = SIGSEGV, .code = SEGV_MAPERR};
    info.data[0] = fault->address;
    if (why == space_no_memory || why == space_past_end) {
        info.signal = SIGBUS;
        info.code = BUS_ADRERR;
    } else if (space_denies(thread->process->space, fault->address)) {
        info.code = SEGV_ACCERR;
    }
    return info;
}

static const char *exception_what(const struct fault *fault, const char *why, char text[TEXT]) {
    u64 vector = fault->vector;
    const char *how = "read of";
    if (fault->error & FAULT_WRITE) how = "write to";
    if (vector < ARRAY_SIZE(exceptions) && exceptions[vector].signal)
        return exceptions[vector].what;
    if (vector != VECTOR_PF) return "unexpected exception";
    if (fault->error & FAULT_FETCH) how = "jump to";
    format(text, TEXT, "%s address 0x%lx (%s)", how, fault->address, why);
    return text;
}

// What a signal frame says of it. An address of the kernel is told to be there, whatever is.
static void exception_keep(struct thread *thread, const struct fault *fault) {
    thread->cause.trap = fault->vector;
    thread->cause.error = fault->error & FAULT_OF_CPU;
    if (fault->vector != VECTOR_PF) return;
    if (fault->address >= USER_END) thread->cause.error |= FAULT_PRESENT;
    thread->cause.address = fault->address;
}

void program_fault(struct context *context, const struct fault *fault) {
    struct thread *thread = (struct thread *)context;
    const char *why = "";
    struct signal_info info;
    char text[TEXT];
    if (vsyscall_emulate(thread, fault)) return;
    if (fault->vector == VECTOR_PF) {
        why = fault_handle(thread, context->regs.rip, fault);
        if (!why || (why == space_no_memory && shortage_help(true))) return;
        info = exception_page_info(thread, fault, why);
    } else {
        info = exception_info(thread, fault->vector);
    }
    exception_keep(thread, fault);
    if (!signal_catch(thread, &info))
        signal_kill_at(thread, info.signal, exception_what(fault, why, text));
}
