// Brings one CPU into the state the kernel runs in: segments, task state, interrupt gates, control registers, SYSCALL.
// On entry the CPU's slot is mapped and zeroed and the stack is the slot's; on return our own handlers report faults.
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/fpu.h"
#include "kernel/cpu/x86.h"

// Descriptors (Intel SDM 3A 3.4.5). Bases and limits mean nothing in 64-bit mode. Accessed is set, so that the CPU
// never writes to the GDT.
#define SEGMENT_CODE (0x9bull << 40) // present, code, readable, accessed
#define SEGMENT_DATA (0x93ull << 40) // present, data, writable, accessed
#define SEGMENT_USER (3ull << 45)    // DPL 3
#define SEGMENT_LONG (1ull << 53)    // 64-bit code
#define SEGMENT_TSS  (0x89ull << 40) // present, available 64-bit TSS

#define GATE_INTERRUPT    0x8e // present, DPL 0, 64-bit interrupt gate: IF goes off
#define GATE_DPL3         0x60 // the program may use it by INT n
#define VECTOR_BREAKPOINT 3

#define CPUID_1_EDX_DE        (1u << 2)
#define CPUID_1_EDX_MCE       (1u << 7)
#define CPUID_1_EDX_PGE       (1u << 13)
#define CPUID_7_EBX_SMEP      (1u << 7)
#define CPUID_7_EBX_SMAP      (1u << 20)
#define CPUID_7_ECX_UMIP      (1u << 2)
#define CPUID_80000001_EDX_NX (1u << 20)

struct table_register { // for LGDT and LIDT
    u16 limit;
    u64 base;
} __attribute__((packed));

static struct gate { // Intel SDM 3A 6.14.1
    u16 offset0, selector;
    u8 ist, type;
    u16 offset16;
    u32 offset32, zero;
} idt[256];
_Static_assert(sizeof(idt) == 256 * 16, "Intel SDM 3A 6.14.1");

static enum ist ist_of(unsigned vector) {
    switch (vector) {
    case 1: return IST_DEBUG;
    case 2: return IST_NMI;
    case 8: return IST_DOUBLE_FAULT;
    case 14: return IST_PAGE_FAULT;
    case 18: return IST_MACHINE_CHECK;
    default: return vector < 32 ? IST_EXCEPTION : IST_INTERRUPT;
    }
}

// The one IDT of all CPUs. INT n of the program gives #GP, as on Linux, but for INT3.
static void idt_init(void) {
    for (unsigned vector = 0; vector < 256; vector++) {
        u64 stub = (u64)trap_stubs + vector * TRAP_STUB_SIZE;
        u8 type = GATE_INTERRUPT | (vector == VECTOR_BREAKPOINT ? GATE_DPL3 : 0);
        idt[vector] =
            (struct gate){(u16)stub, KERNEL_CS, ist_of(vector), type, (u16)(stub >> 16), (u32)(stub >> 32), 0};
    }
}

static void gdt_init(struct cpu *cpu) {
    u64 tss = (u64)&cpu->tss;
    cpu->gdt[KERNEL_CS / 8] = SEGMENT_CODE | SEGMENT_LONG;
    cpu->gdt[KERNEL_SS / 8] = SEGMENT_DATA;
    cpu->gdt[USER_SS / 8] = SEGMENT_DATA | SEGMENT_USER;
    cpu->gdt[USER_CS / 8] = SEGMENT_CODE | SEGMENT_LONG | SEGMENT_USER;
    cpu->gdt[TSS_SELECTOR / 8] =
        SEGMENT_TSS | (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
    cpu->gdt[TSS_SELECTOR / 8 + 1] = tss >> 32;
    for (unsigned i = 0; i < IST_COUNT; i++) {
        cpu->ist[i].canary = IST_CANARY;
        cpu->tss.ist[i] = (u64)(&cpu->ist[i] + 1);
    }
    cpu->tss.rsp[0] = cpu->stack_top; // no gate uses it: every one has an IST stack
    cpu->tss.io_map = sizeof(struct tss);
}

// CS changes only by a far transfer; the data selectors are null for ever, as a Linux program finds them.
static void tables_load(const struct cpu *cpu) {
    struct table_register gdtr = {sizeof(cpu->gdt) - 1, (u64)cpu->gdt}, idtr = {sizeof(idt) - 1, (u64)idt};
    __asm__ volatile("lgdt %0\n\tpushq %q3\n\tlea 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n"
                     "1:\n\tmov %w4, %%ss\n\tmov %w2, %%ds\n\tmov %w2, %%es\n\tmov %w2, %%fs\n\tmov %w2, %%gs\n\t"
                     "ltr %w5\n\tlidt %1" ::"m"(gdtr),
                     "m"(idtr), "r"(0), "r"((u64)KERNEL_CS), "r"(KERNEL_SS), "r"(TSS_SELECTOR)
                     : "rax", "memory");
}

static void control_registers_init(void) {
    struct cpuid features = cpuid(1, 0), more = {0};
    if (cpuid(0, 0).eax >= 7) more = cpuid(7, 0);
    u64 cr4 = read_cr4();
    if (features.edx & CPUID_1_EDX_DE) cr4 |= CR4_DE;
    if (features.edx & CPUID_1_EDX_MCE) cr4 |= CR4_MCE;
    if (features.edx & CPUID_1_EDX_PGE) cr4 |= CR4_PGE;
    if (more.ebx & CPUID_7_EBX_SMEP) cr4 |= CR4_SMEP;
    if (more.ebx & CPUID_7_EBX_SMAP) cr4 |= CR4_SMAP;
    if (more.ecx & CPUID_7_ECX_UMIP) cr4 |= CR4_UMIP;
    write_cr4(cr4);
    write_cr0((read_cr0() & ~(u64)(CR0_EM | CR0_TS)) | CR0_WP | CR0_NE | CR0_MP | CR0_AM);
}

// As after reset, but PWT alone says write-combining (Intel SDM 3A 12.12.2; every CPU with long mode has it). Nothing
// is mapped with PWT alone yet, so nothing in a cache changes its type.
#define PAT_WITH_WC 0x0007040600070106ull // 0 write-back, 1 write-combining, 2 uncached unless MTRRs say WC, 3 uncached

// SYSCALL takes CS from STAR[47:32] and SS 8 above; SYSRET takes SS 8 and CS 16 above STAR[63:48] (AMD APM 2 6.1.1).
static void syscall_init(void) {
    u64 nx = cpuid(0x80000001, 0).edx & CPUID_80000001_EDX_NX ? EFER_NXE : 0;
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | nx);
    wrmsr(MSR_STAR, (u64)(USER_CS32 | 3) << 48 | (u64)KERNEL_CS << 32);
    wrmsr(MSR_LSTAR, (u64)syscall_entry);
    wrmsr(MSR_SFMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC);
}

void cpu_init(unsigned number) {
    u64 slot = SLOTS + number * (u64)SLOT_SIZE;
    struct cpu *cpu = (struct cpu *)slot;
    cpu->self = cpu;
    cpu->number = number;
    cpu->stack_top = slot + SLOT_SIZE;
    gdt_init(cpu);
    if (number == 0) {
        idt_init();
        pic_init();
    }
    tables_load(cpu);
    wrmsr(MSR_FS_BASE, 0); // a null selector leaves the base on AMD CPUs
    wrmsr(MSR_KERNEL_GS_BASE, 0);
    wrmsr(MSR_GS_BASE, slot); // after the null selector, which clears it on Intel CPUs
    control_registers_init();
    wrmsr(MSR_PAT, PAT_WITH_WC);
    syscall_init();
    fpu_init();
}
