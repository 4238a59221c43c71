// What happens after the entry code: from the program the hooks decide; from the kernel only a page
// fault of the user copies, an interrupt in cpu_idle() and an NMI are expected, everything else is
// a panic.
#include "kernel/cpu/panic.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"

#define NMI_PORT         0x61      // system control port B
#define NMI_CAUSE_MEMORY (1u << 7) // SERR or parity
#define NMI_CAUSE_BUS    (1u << 6) // IOCHK
#define HLT              0xf4

// NMIs without a known cause: how many came on all CPUs, and where the last one did.
static u64 nmi_count;
static u64 nmi_rip;
static const struct trap_hooks *hooks;
u64 quick_calls[QUICK_NUMBERS / 64];
static const char *(*grow_stack)(u64 address, u64 rsp);

// Says what higher rooms do about entries from the program. A hook runs on the slot stack, may
// switch contexts and may end in context_resume(); only user_copy_fault runs on the page-fault
// stack (IST_STACK_SIZE) and must return. hooks must live for ever.
void traps_init(const struct trap_hooks *given) { hooks = given; }

// Says what a page fault of the kernel does where nothing is mapped. It returns NULL when something
// is mapped now, else why not, or "".
void traps_set_stack_growth(const char *(*grow)(u64 address, u64 rsp)) { grow_stack = grow; }

// Makes context, which no CPU has, current on this CPU, which has none: loads its vector state.
void context_enter(struct context *context) {
    struct cpu *cpu = this_cpu();
    if (!cpu->tlb_used || cpu->tlb != context->tlb) tlb_enter(context->tlb);
    fpu_restore(context->xstate);
    segments_enter(&context->segments);
    cpu->current = context;
}

// From here on this CPU has no context. With save the vector state is stored in the one it had,
// whose registers are complete then; else that is not touched any more.
void context_leave(bool save) {
    struct cpu *cpu = this_cpu();
    if (save) {
        fpu_save(cpu->current->xstate);
        segments_leave(&cpu->current->segments);
    } else {
        segments_leave(NULL);
    }
    cpu->current = NULL;
}

void context_begin(struct context *context, u64 rip, u64 rsp) {
    context->regs = (struct registers){.rip = rip, .rsp = rsp, .cs = USER_CS, .ss = USER_SS};
    context->regs.rflags = RFLAGS_ONE | RFLAGS_IF;
    if (this_cpu()->current != context) return;
    fpu_state_init(context->xstate);
    fpu_restore(context->xstate);
    segments_enter(&(struct segments){0});
    segments_set_base(true, 0);
    segments_set_base(false, 0);
}

// SYSRET loads rip and rflags from rcx and r11, and cannot set RF; with TF the trap would come one
// instruction early.
static bool trap_can_sysret(const struct registers *r) {
    return r->vector == VECTOR_SYSCALL && r->rcx == r->rip && r->r11 == r->rflags &&
           !(r->rflags & (RFLAGS_TF | RFLAGS_RF));
}

static void trap_of_program(u64 vector, u64 error, u64 address) {
    struct fault fault = {vector, error, address};
    hooks->fault(this_cpu()->current, &fault);
}

// Takes no lock, logs nothing and cannot fault: an IRET of anything in between would let the next
// NMI in, onto the same stack, and CR2 may still belong to the page fault that it came upon.
static void trap_nmi(const struct registers *regs) {
    if (stop_wanted()) cpu_stop(regs);
    if (inb(NMI_PORT) & (NMI_CAUSE_MEMORY | NMI_CAUSE_BUS)) panic_exception(regs, 0, "");
    this_cpu()->nmis++;
    nmi_rip = regs->rip;
    __atomic_add_fetch(&nmi_count, 1, __ATOMIC_RELAXED);
}

// Where locks may be taken; the first are said, all are counted.
static void trap_nmi_say(void) {
    static bool said;
    u64 count = __atomic_load_n(&nmi_count, __ATOMIC_RELAXED);
    if (!count || said || __atomic_exchange_n(&said, true, __ATOMIC_RELAXED)) return;
    log_error("NMIs without a known cause: %lu so far, the last one at %#lx; ignored", count,
              nmi_rip);
}

static void __attribute__((noreturn)) trap_leave(void) {
    trap_nmi_say();
    hooks->after(this_cpu()->current);
    context_resume();
}

static bool is_canonical(u64 address) { return (u64)((s64)(address << 16) >> 16) == address; }

// Leaves for the program with the current context, by SYSRET when it entered by SYSCALL, its rip
// and rflags are what SYSCALL left in rcx and r11, and neither TF nor RF is set; else by IRETQ. A
// rip that the program cannot have is a #GP of the program.
void context_resume(void) {
    struct context *context = this_cpu()->current;
    // An interrupt can find a rip that is not canonical (on AMD CPUs after a RET); IRETQ to it
    // would fault here.
    if (!is_canonical(context->regs.rip)) {
        trap_of_program(VECTOR_GP, 0, 0);
        trap_leave();
    }
    if (trap_can_sysret(&context->regs)) resume_by_sysret(context);
    resume_by_iret(context);
}

// Called by traps.asm, as are syscall_quick and the two below whose names begin with trap_from.
void __attribute__((noreturn)) syscall_from_program(void) {
    hooks->syscall(this_cpu()->current);
    trap_leave();
}

s64 syscall_quick(struct context *context, const struct quick *quick) {
    return hooks->quick(context, quick);
}

void __attribute__((noreturn)) trap_from_program(void) {
    const struct registers *regs = &this_cpu()->current->regs;
    if (regs->vector == VECTOR_NMI) {
        trap_nmi(regs);
        context_resume(); // by IRETQ, and at once: until then the CPU holds further NMIs back
    }
    if (regs->vector == VECTOR_DF || regs->vector == VECTOR_MC) panic_exception(regs, 0, "");
    if (regs->vector >= EXCEPTIONS)
        interrupt(regs->vector);
    else if (regs->vector == VECTOR_PF) // in ring 0 the CPU would not say that it is the program's
        trap_of_program(VECTOR_PF, regs->error | FAULT_USER, read_cr2());
    else
        trap_of_program(regs->vector, regs->error, 0);
    trap_leave();
}

static bool trap_in_usercopy(u64 rip) {
    return rip >= (u64)user_compare_exchange && rip < (u64)usercopy_end;
}

// A page fault of the kernel: of a copy for the program, of a stack that can grow, or a bug.
static void trap_kernel_page_fault(struct registers *regs) {
    struct fault fault = {regs->vector, regs->error, read_cr2()};
    if (fault.address < USER_END && trap_in_usercopy(regs->rip)) {
        if (!hooks->user_copy_fault(&fault)) regs->rip = (u64)usercopy_failed;
        return;
    }
    const char *why = "";
    if (!(regs->error & FAULT_PRESENT) && grow_stack) why = grow_stack(fault.address, regs->rsp);
    if (why) panic_exception(regs, fault.address, why);
}

void trap_from_kernel(struct registers *regs) {
    if (regs->vector >= EXCEPTIONS) {
        interrupt(regs->vector);
        if (*(const u8 *)regs->rip == HLT) regs->rip++; // cpu_idle() has had its interrupt
    } else if (regs->vector == VECTOR_NMI) {
        trap_nmi(regs);
    } else if (regs->vector == VECTOR_DB && regs->rip == (u64)syscall_entry) {
        regs->rflags &= ~(u64)RFLAGS_TF; // the program's, which some CPUs still obey behind SYSCALL
    } else if (regs->vector == VECTOR_PF) {
        trap_kernel_page_fault(regs);
    } else {
        panic_exception(regs, 0, "");
    }
    // The lowest word of an interrupt stack was zero at first: it has run into the one below when
    // that is another.
    if (*(const u64 *)ROUND_DOWN((u64)regs, IST_STACK_SIZE)) panic("an interrupt stack ran over");
}

// Waits for one interrupt with interrupts on, then off again (the kernel runs with them off
// everywhere else). STI lets interrupts in only after the next instruction, so one that came before
// still ends the HLT; behind an NMI in between it comes before the HLT. Without a context a CPU
// does not touch the program's memory, so it need not be woken for its TLB's sake.
void cpu_idle(void) {
    tlb_leave();
    this_cpu()->open = true;
    __asm__ volatile("sti\n\thlt\n\tcli" ::: "memory");
    this_cpu()->open = false;
    trap_nmi_say();
}

// Lets in the interrupts that came since the last entry or break point. The caller holds no lock.
void cpu_break(void) {
    this_cpu()->open = true;
    __asm__ volatile("sti\n\tnop\n\tcli" ::: "memory");
    this_cpu()->open = false;
}

bool in_user_range(uaddr start, u64 bytes) {
    return start.at <= USER_END && bytes <= USER_END - start.at;
}

bool copy_from_user(void *to, uaddr from, u64 bytes) {
    return in_user_range(from, bytes) && usercopy(to, (const void *)from.at, bytes);
}

bool copy_to_user(uaddr to, const void *from, u64 bytes) {
    return in_user_range(to, bytes) && usercopy((void *)to.at, from, bytes);
}

// An aligned word of the program becomes value if it is what is expected, in one step; expected is
// then what it was.
bool user_exchange(uaddr to, u32 *expected, u32 value) {
    return in_user_range(to, sizeof value) && user_compare_exchange((void *)to.at, expected, value);
}

bool clear_user(uaddr to, u64 bytes) {
    static const u8 zeroes[512];
    for (u64 part; bytes > 0; to.at += part, bytes -= part) {
        part = MIN(bytes, sizeof(zeroes));
        if (!copy_to_user(to, zeroes, part)) return false;
    }
    return true;
}

// Copies a NUL-terminated string; returns its length, or -1 on a fault, or max when no NUL came
// within max bytes. It goes up to the end of each page, since what follows the NUL need not be
// there beyond it.
s64 copy_string_from_user(char *to, uaddr from, u64 max) {
    for (u64 done = 0, part; done < max; done += part) {
        u64 left_of_page = PAGE_SIZE - (from.at + done) % PAGE_SIZE;
        part = MIN(left_of_page, max - done);
        if (!copy_from_user(to + done, user(from.at + done), part)) return -1;
        u64 length = strnlen(to + done, part);
        if (length < part) return (s64)(done + length);
    }
    return (s64)max;
}
