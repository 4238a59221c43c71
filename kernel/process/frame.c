// Signal frames. What the program changes in one while its handler runs counts, as far as it could
// have brought it about without: everything that XRSTOR or IRET would fault on in the kernel is
// checked before.
#include "kernel/process/frame.h"

#include "kernel/cpu/x86.h"
#include "kernel/lib/string.h"

#define RED_ZONE      128 // below the stack pointer, for a function's use (System V psABI 3.2.2)
#define VECTORS_ALIGN 64
// What POPF could have set: AC, OF, DF, TF, SF, ZF, AF, PF, CF; and RF, which handlers of SIGTRAP
// use.
#define FLAGS_OF_PROGRAM 0x50dd5ull
#define FLAGS_CLEARED    0x10500ull // in a handler: RF, DF, TF
#define MAGIC2_BYTES     4
#define SW_AT            464 // struct _fpx_sw_bytes in the legacy region, which no CPU touches

// ---- the alternate stack ----

bool frame_on_stack(const struct signal_stack *stack, u64 sp) {
    if (stack->flags & SS_AUTODISARM) return false;
    return sp > stack->start && sp - stack->start <= stack->bytes;
}

struct signal_stack frame_stack_told(const struct signal_stack *stack, u64 sp) {
    struct signal_stack told = *stack;
    told.flags &= SS_AUTODISARM;
    if (!stack->bytes)
        told.flags |= SS_DISABLE;
    else if (frame_on_stack(stack, sp))
        told.flags |= SS_ONSTACK;
    return told;
}

// ---- making one ----

static void frame_put_registers(struct sigcontext *to, const struct thread *thread) {
    const struct registers *r = &thread->context.regs;
    *to = (struct sigcontext){.r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11};
    to->r12 = r->r12;
    to->r13 = r->r13;
    to->r14 = r->r14;
    to->r15 = r->r15;
    to->rdi = r->rdi;
    to->rsi = r->rsi;
    to->rbp = r->rbp;
    to->rbx = r->rbx;
    to->rdx = r->rdx;
    to->rax = r->rax;
    to->rcx = r->rcx;
    to->rsp = r->rsp;
    to->rip = r->rip;
    to->eflags = r->rflags;
    to->cs = (u16)r->cs;
    to->ss = (u16)r->ss;
    to->err = thread->cause.error;
    to->trapno = thread->cause.trap;
    to->oldmask = thread->signals_blocked;
    to->cr2 = thread->cause.address;
}

// The vector state in its standard format (not compacted), with what says so around it. The CPU's
// registers are as the program left them; the area in the thread is free while it runs.
static bool frame_put_vectors(struct thread *thread, u64 at) {
    u8 *area = thread->context.xstate;
    u32 bytes = (u32)fpu_state_size();
    const u32 end = FP_XSTATE_MAGIC2;
    struct _fpx_sw_bytes about = {.magic1 = FP_XSTATE_MAGIC1,
                                  .extended_size = bytes + MAGIC2_BYTES};
    about.xfeatures = fpu_features();
    about.xstate_size = bytes;
    if (!fpu_has_header()) about = (struct _fpx_sw_bytes){0};
    fpu_save(area);
    memcpy(area + SW_AT, &about, sizeof about);
    return copy_to_user(user(at), area, bytes) &&
           (!fpu_has_header() || copy_to_user(user(at + bytes), &end, sizeof end));
}

// The top of the stack that the frame goes to.
static u64 frame_top(const struct thread *thread, bool wants_stack) {
    u64 sp = thread->context.regs.rsp;
    const struct signal_stack *stack = &thread->signal_stack;
    bool switches = wants_stack && stack->bytes && !frame_on_stack(stack, sp);
    if (switches) return stack->start + stack->bytes;
    return sp - RED_ZONE;
}

// A stack that is too small must not be left at its low end. One that the thread is on and was not
// asked for is looked at, too.
static bool frame_fits(const struct thread *thread, u64 top, u64 at) {
    const struct signal_stack *stack = &thread->signal_stack;
    bool was_on = frame_on_stack(stack, thread->context.regs.rsp);
    bool is_on = stack->bytes && top == stack->start + stack->bytes;
    return at < top && ((!was_on && !is_on) || at >= stack->start);
}

static void frame_enter(struct thread *thread, int signal, u64 at, u64 handler) {
    struct registers *r = &thread->context.regs;
    r->rsp = at;
    r->rip = handler;
    r->rdi = (u64)signal;
    r->rsi = at + offsetof(struct signal_frame, info);
    r->rdx = at + offsetof(struct signal_frame, context);
    r->rax = 0; // of a function without a prototype: no vector registers have arguments
    r->rflags &= ~FLAGS_CLEARED;
    fpu_state_init(thread->context.xstate);
    fpu_restore(thread->context.xstate);
}

bool frame_make(struct thread *thread, const struct signal_info *info,
                const struct signal_action *action) {
    struct signal_stack *stack = &thread->signal_stack;
    u64 top = frame_top(thread, action->flags & SA_ONSTACK);
    u64 vectors = ROUND_DOWN(top - fpu_state_size() - MAGIC2_BYTES, VECTORS_ALIGN);
    // As behind a call: the stack pointer is 8 below a multiple of 16 (psABI 3.2.2).
    u64 at = ROUND_DOWN(vectors - sizeof(struct signal_frame), 16) - 8;
    struct signal_frame frame = {.return_to = action->restorer, .info = *info};
    struct signal_stack told = frame_stack_told(stack, thread->context.regs.rsp);
    // Going to an address that is not canonical would fault in the kernel, again for each frame.
    if (action->handler >= USER_END || !frame_fits(thread, top, at)) return false;
    frame.context.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
    if (fpu_has_header()) frame.context.uc_flags |= UC_FP_XSTATE;
    memcpy(&frame.context.uc_stack, &told, sizeof told);
    frame_put_registers(&frame.context.uc_mcontext, thread);
    frame.context.uc_mcontext.fpstate = (void *)vectors;
    u64 blocked = thread->signals_blocked;
    if (thread->has_saved) blocked = thread->signals_saved;
    memcpy(&frame.context.uc_sigmask, &blocked, sizeof blocked);
    if (!frame_put_vectors(thread, vectors) || !copy_to_user(user(at), &frame, sizeof frame))
        return false;
    if (stack->flags & SS_AUTODISARM) *stack = (struct signal_stack){0};
    frame_enter(thread, info->signal, at, action->handler);
    return true;
}

// ---- going back ----

static void frame_get_registers(struct registers *r, const struct sigcontext *from) {
    r->r8 = from->r8;
    r->r9 = from->r9;
    r->r10 = from->r10;
    r->r11 = from->r11;
    r->r12 = from->r12;
    r->r13 = from->r13;
    r->r14 = from->r14;
    r->r15 = from->r15;
    r->rdi = from->rdi;
    r->rsi = from->rsi;
    r->rbp = from->rbp;
    r->rbx = from->rbx;
    r->rdx = from->rdx;
    r->rax = from->rax;
    r->rcx = from->rcx;
    r->rsp = from->rsp;
    r->rip = from->rip;
    r->rflags = (r->rflags & ~FLAGS_OF_PROGRAM) | (from->eflags & FLAGS_OF_PROGRAM);
}

// How many bytes of vector state stand there in the extended format: as many as the frame says, if
// the magic numbers do; else 0, and the legacy region alone counts.
static u32 frame_extended(u64 at, const struct _fpx_sw_bytes *about) {
    u32 end;
    bool is_extended = fpu_has_header() && about->magic1 == FP_XSTATE_MAGIC1 &&
                       about->xstate_size >= FPU_HEADER_END &&
                       about->xstate_size <= fpu_state_size() &&
                       about->extended_size >= about->xstate_size;
    if (!is_extended) return 0;
    if (!copy_from_user(&end, user(at + about->xstate_size), sizeof end)) return 0;
    if (end != FP_XSTATE_MAGIC2) return 0;
    return about->xstate_size;
}

static bool frame_get_vectors(struct thread *thread, u64 at) {
    u8 *area = thread->context.xstate;
    struct _fpx_sw_bytes about;
    fpu_state_init(area);
    if (at) {
        if (!copy_from_user(&about, user(at + SW_AT), sizeof about)) return false;
        u32 extended = frame_extended(at, &about);
        u64 bytes = FPU_LEGACY_BYTES;
        if (extended) bytes = extended;
        if (!copy_from_user(area, user(at), bytes)) return false;
        if (!extended) fpu_state_legacy(area);
        if (!fpu_state_valid(area)) return false;
        if (extended) fpu_state_only(area, about.xfeatures);
    }
    fpu_restore(area);
    return true;
}

bool frame_return(struct thread *thread) {
    struct registers *r = &thread->context.regs;
    struct signal_frame frame;
    struct signal_stack stack;
    u64 blocked;
    u64 at = r->rsp - sizeof frame.return_to;
    if (!copy_from_user(&frame, user(at), sizeof frame)) return false;
    const struct sigcontext *from = &frame.context.uc_mcontext;
    if (from->cs != USER_CS || from->ss != USER_SS) return false;
    if (!frame_get_vectors(thread, (u64)from->fpstate)) return false;
    memcpy(&blocked, &frame.context.uc_sigmask, sizeof blocked);
    memcpy(&stack, &frame.context.uc_stack, sizeof stack);
    frame_get_registers(r, from);
    signal_block_asked(thread, blocked);
    // As by sigaltstack(): what that would refuse is left as it is.
    u32 mode = stack.flags & ~(u32)SS_AUTODISARM;
    bool is_stack = mode == 0 || mode == SS_ONSTACK;
    if (mode == SS_DISABLE)
        thread->signal_stack = (struct signal_stack){0};
    else if (is_stack && stack.bytes >= MINSIGSTKSZ &&
             !frame_on_stack(&thread->signal_stack, r->rsp))
        thread->signal_stack = stack;
    return true;
}
