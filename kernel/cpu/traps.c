// What happens after the entry code: from the program the hooks decide; from the kernel only a page fault of the user
// copies, an interrupt in cpu_idle() and an NMI are expected, everything else is a panic.
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/fpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"

enum { VECTOR_DEBUG = 1, VECTOR_NMI = 2, VECTOR_DOUBLE_FAULT = 8, VECTOR_PAGE_FAULT = 14, VECTOR_MACHINE_CHECK = 18 };
#define EXCEPTIONS 32

#define NMI_PORT         0x61      // system control port B
#define NMI_CAUSE_MEMORY (1u << 7) // SERR or parity
#define NMI_CAUSE_BUS    (1u << 6) // IOCHK

// Called by traps.asm only.
void syscall_from_program(void) __attribute__((noreturn));
void trap_from_program(void) __attribute__((noreturn));
void trap_from_kernel(struct registers *regs);
void resume_failed(void) __attribute__((noreturn));

static const struct trap_hooks *hooks;

void traps_init(const struct trap_hooks *given) { hooks = given; }

struct context *context_current(void) {
    return this_cpu()->current;
}

void context_switch(struct context *to) {
    struct cpu *cpu = this_cpu();
    if (cpu->current == to) return;
    if (cpu->current) fpu_save(cpu->current->xstate);
    fpu_restore(to->xstate);
    cpu->current = to;
}

// SYSRET loads rip and rflags from rcx and r11, and cannot set RF; with TF the trap would come one instruction early.
static bool can_sysret(const struct registers *r) {
    return r->vector == VECTOR_SYSCALL && r->rcx == r->rip && r->r11 == r->rflags && r->rip < USER_END &&
           r->cs == USER_CS && r->ss == USER_SS && !(r->rflags & (RFLAGS_TF | RFLAGS_RF));
}

void context_resume(void) {
    struct cpu *cpu = this_cpu();
    struct context *context = cpu->current;
    if (cpu->fs_base != context->fs_base) wrmsr(MSR_FS_BASE, cpu->fs_base = context->fs_base);
    if (cpu->gs_base != context->gs_base) wrmsr(MSR_KERNEL_GS_BASE, cpu->gs_base = context->gs_base);
    if (can_sysret(&context->regs)) resume_by_sysret(context);
    resume_by_iret(context);
}

static void __attribute__((noreturn)) leave(void) {
    hooks->after(context_current());
    context_resume();
}

void syscall_from_program(void) {
    hooks->syscall(context_current());
    leave();
}

static void fault_of_program(u64 vector, u64 error, u64 address) {
    struct fault fault = {vector, error, address};
    hooks->fault(context_current(), &fault);
}

// IRETQ refused the current context's registers; a #GP at the place it was to go to, as if the program had jumped
// there.
void resume_failed(void) {
    fault_of_program(13, 0, 0);
    leave();
}

// DR6 collects the reasons of #DB and is never cleared by the CPU.
static void clear_dr6(void) { __asm__ volatile("mov %0, %%dr6" ::"r"(0xffff0ff0ul)); }

static void nmi(const struct registers *regs) {
    u8 cause = inb(NMI_PORT);
    if (cause & (NMI_CAUSE_MEMORY | NMI_CAUSE_BUS)) panic_exception(regs, 0);
    log_error("NMI at %#lx without a known cause (port 61h reads %#x): ignored", regs->rip, cause);
}

void trap_from_program(void) {
    struct context *context = context_current();
    u64 vector = context->regs.vector;
    u64 address = vector == VECTOR_PAGE_FAULT ? read_cr2() : 0;
    if (vector == VECTOR_NMI) {
        nmi(&context->regs);
        context_resume(); // by IRETQ, and at once: until then the CPU holds further NMIs back
    }
    if (vector == VECTOR_DOUBLE_FAULT || vector == VECTOR_MACHINE_CHECK) panic_exception(&context->regs, 0);
    if (vector == VECTOR_DEBUG) clear_dr6();
    if (vector < EXCEPTIONS) fault_of_program(vector, context->regs.error, address);
    else pic_interrupt(vector - PIC_VECTOR);
    leave();
}

// A page that only has to be made is made; else the copy fails.
static void usercopy_fault(struct registers *regs, u64 address) {
    struct fault fault = {regs->vector, regs->error, address};
    if (!hooks->user_copy_fault(&fault)) regs->rip = (u64)usercopy_failed;
}

// An interrupt stack that was too small has written over its neighbour: better known than guessed.
static void check_canaries(void) {
    const struct cpu *cpu = this_cpu();
    for (unsigned i = 0; i < IST_COUNT; i++)
        if (cpu->ist[i].canary != IST_CANARY) panic("interrupt stack %u of CPU %u ran over", i + 1, cpu->number);
}

void trap_from_kernel(struct registers *regs) {
    u64 address = regs->vector == VECTOR_PAGE_FAULT ? read_cr2() : 0;
    if (regs->vector == VECTOR_NMI) {
        nmi(regs);
    } else if (regs->vector == VECTOR_DEBUG) {
        // TF or "mov ss; int3" of the program reached the first instruction of an entry, which has saved its flags.
        clear_dr6();
        regs->rflags &= ~(u64)RFLAGS_TF;
    } else if (regs->vector == VECTOR_PAGE_FAULT && regs->rip >= (u64)usercopy && regs->rip < (u64)usercopy_end &&
               address < USER_END) {
        usercopy_fault(regs, address);
    } else if (regs->vector < EXCEPTIONS && regs->rip == (u64)resume_iretq) {
        regs->rip = (u64)resume_iretq_failed;
        regs->rsp = this_cpu()->stack_top;
    } else if (regs->vector >= EXCEPTIONS) {
        pic_interrupt(regs->vector - PIC_VECTOR);
    } else {
        panic_exception(regs, address);
    }
    check_canaries();
}

// STI lets interrupts in only after the next instruction, so one that came before still ends the HLT.
void cpu_idle(void) { __asm__ volatile("sti\n\thlt\n\tcli" ::: "memory"); }
