// What belongs to one CPU. It lies at the bottom of the CPU's slot, mapped and, but for its stacks,
// zeroed before cpu_init(); GS base points to it while the kernel runs. All interrupt stacks lie in
// it, so that an entry finds it by masking RSP, whatever GS is.
#pragma once

#include "kernel/cpu/lock.h"
#include "kernel/cpu/time.h"
#include "kernel/cpu/trap.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"

enum {
    VECTOR_DB = 1,
    VECTOR_NMI = 2,
    VECTOR_BP = 3,
    VECTOR_OF = 4,
    VECTOR_DF = 8,
    VECTOR_GP = 13,
    VECTOR_PF = 14,
    VECTOR_MF = 16,
    VECTOR_MC = 18,
    VECTOR_XM = 19
};
#define EXCEPTIONS 32 // vectors below are the CPU's own

// Interrupt stacks by their number in the IDT. One stack must never be entered twice at once: #DF,
// NMI, #MC, #DB and #PF can come while another one is in use, the rest cannot nest. Backtraces go
// up: what interrupts lies lower.
enum ist { IST_DF = 1, IST_MC, IST_NMI, IST_DB, IST_PF, IST_EXCEPTION, IST_INTERRUPT };
#define IST_COUNT      7
#define IST_STACK_SIZE 8192

struct tss { // Intel SDM 3A 8.7; all but the stacks is history
    u32 zero;
    u64 rsp[3], zero2, ist[IST_COUNT], zero3;
    u16 zero4, io_map; // offset of the I/O permission map; at the TSS's end: none
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "Intel SDM 3A 8.7");

#define CPU_PROGRAM 256
struct cpu {
    struct cpu *self;
    struct context *current;
    u64 scratch;     // the program's RSP between SYSCALL and the context
    u64 stack_top;   // of the slot stack; every entry from the program starts there
    unsigned number; // of the slot
    u32 apic_id;
    u32 nmis;                    // without a known cause
    bool stopped;                // for ever; then stopped_at holds
    bool open;                   // the kernel lets interrupts in, in cpu_idle() or cpu_break()
    u32 locks;                   // ranks of those that it holds (lock.h)
    struct registers stopped_at; // what it was doing
    char last_words[LOG_LINE];   // its own panic, when another CPU's came first
    struct segments segments;    // what its registers hold while it has no context
    struct tlb *tlb;             // whose root it has; this and the rest are tlb.c's
    bool tlb_used;
    u64 tlb_seen, tlb_forgot;
    struct time_cpu time;
    u64 gdt[9]; // by the selectors of layout.h; the TSS takes two
    struct tss tss;
    // The scheduler's, which begins with zeroes.
    u8 program[CPU_PROGRAM] __attribute__((aligned(64)));
    // The interrupt stack of IST number n + 1.
    u8 ist[IST_COUNT][IST_STACK_SIZE] __attribute__((aligned(IST_STACK_SIZE)));
};
_Static_assert(offsetof(struct cpu, current) == CPU_CURRENT &&
                   offsetof(struct cpu, scratch) == CPU_SCRATCH &&
                   offsetof(struct cpu, locks) == CPU_LOCKS &&
                   offsetof(struct cpu, stack_top) == CPU_STACK_TOP &&
                   offsetof(struct cpu, open) == CPU_OPEN && sizeof(struct cpu) <= SLOT_DATA_MAX,
               "traps.asm and the data part of a slot");

static inline struct cpu *this_cpu(void) {
    struct cpu *cpu;
    __asm__("mov %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

// Whether an entry interrupted the program, not the kernel; traps.asm decides in the same way. The
// program runs with interrupts on, which it cannot turn off without being in ring 0 and meaning it;
// the kernel has them off but in its two open places. CS would not tell a program in ring 0 from
// the kernel, and RIP and RSP can be anything in ring 3.
static inline bool cpu_ran_program(const struct cpu *cpu, const struct registers *regs) {
    return regs->rflags & RFLAGS_IF && cpu && !cpu->open;
}

void cpu_init(unsigned number); // makes a CPU what the kernel needs

// ---- traps.asm ----
extern const u8 trap_stubs[]; // 256, TRAP_STUB_SIZE bytes each
void syscall_entry(void);
void resume_by_iret(struct context *context) __attribute__((noreturn));
void resume_by_sysret(struct context *context) __attribute__((noreturn));
// The only code of the kernel that touches the program's memory; a page fault inside it goes on at
// usercopy_failed.
bool usercopy(void *to, const void *from, u64 bytes);
bool user_compare_exchange(void *to, u32 *expected, u32 value); // lies before it
extern const u8 usercopy_failed[], usercopy_end[];

// ---- segments.c ----
void segments_init(void);                         // after CR4
void segments_enter(const struct segments *from); // of a context that becomes current
void segments_leave(struct segments *save);       // of the one that was; NULL: it has ended

// ---- panic.c ----
// A panic because of an exception; address is CR2 for a page fault, why is more about it, or empty.
void panic_exception(const struct registers *regs, u64 address, const char *why)
    __attribute__((noreturn));

// ---- interrupts.c ----
void interrupt(u64 vector); // called by traps.c for every vector from EXCEPTIONS on
// Lines are the legacy PICs' until somebody gives another way to let one interrupt, on VECTOR_LINES
// + line.
void interrupts_route(void (*let)(unsigned line));
u32 interrupts_ignored(u8 vector); // how many nobody wanted
#define VECTOR_LINES 0x20
#define LINES        16 // of the ISA bus
#define LINE_CASCADE 2  // the second PIC's, on the first

// ---- mtrrs.c ----
void mtrrs_keep(void);           // the boot CPU's
bool mtrrs_adopt(void) MUST_USE; // makes this CPU's the same; true when they were not

// ---- pic.c ----
void pic_init(void); // all lines masked
void pic_let(unsigned line);
