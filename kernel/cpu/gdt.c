// Brings one CPU into the state the kernel runs in: segments, task state, interrupt gates, control
// registers, SYSCALL. On entry the CPU's slot is mapped, its struct cpu zeroed up to the stacks,
// and the stack is the slot's; on return our own handlers report faults. What the firmware may have
// left in a register does not count: each is written whole.
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/x86.h"

// Descriptors (Intel SDM 3A 3.4.5). Bases and limits mean nothing in 64-bit mode. Accessed is set,
// so that the CPU never writes to the GDT.
#define SEGMENT_CODE (0x9bull << 40) // present, code, readable, accessed
#define SEGMENT_DATA (0x93ull << 40) // present, data, writable, accessed
#define SEGMENT_READ (0x91ull << 40) // present, data, read-only, accessed
#define SEGMENT_USER (3ull << 45)    // DPL 3
#define SEGMENT_LONG (1ull << 53)    // 64-bit code
#define SEGMENT_TSS  (0x89ull << 40) // present, available 64-bit TSS

#define GATE_INTERRUPT 0x8e // present, DPL 0, 64-bit interrupt gate: IF goes off
#define GATE_DPL3      0x60 // the program may use it by INT n

#define CPUID_1_ECX_XSAVE    (1u << 26)
#define CPUID_1_EDX_MCE      (1u << 7)
#define CPUID_7_EBX_FSGSBASE (1u << 0)
#define CPUID_7_EBX_SMEP     (1u << 7)
#define CPUID_7_EBX_SMAP     (1u << 20)
#define CPUID_7_ECX_UMIP     (1u << 2)
#define DR7_NONE             (1u << 10) // no breakpoints; the bit is always set

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

// The one IDT of all CPUs. INT n of the program gives #GP, as on Linux, but for INT3.
static void idt_init(void) {
    for (unsigned vector = 0; vector < 256; vector++) {
        u64 stub = (u64)trap_stubs + vector * TRAP_STUB_SIZE;
        u8 ist = IST_INTERRUPT;
        if (vector < EXCEPTIONS) ist = IST_EXCEPTION;
        idt[vector] = (struct gate){(u16)stub,         KERNEL_CS,         ist, GATE_INTERRUPT,
                                    (u16)(stub >> 16), (u32)(stub >> 32), 0};
    }
    idt[VECTOR_DB].ist = IST_DB;
    idt[VECTOR_NMI].ist = IST_NMI;
    idt[VECTOR_DF].ist = IST_DF;
    idt[VECTOR_PF].ist = IST_PF;
    idt[VECTOR_MC].ist = IST_MC;
    idt[VECTOR_BP].type |= GATE_DPL3;
    idt[VECTOR_OF].type |= GATE_DPL3;
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
    cpu->gdt[NUMBER_SELECTOR / 8] = SEGMENT_READ | SEGMENT_USER | cpu->number; // below 2^16
    for (unsigned i = 0; i < IST_COUNT; i++) {
        cpu->tss.ist[i] = (u64)cpu->ist[i] + IST_STACK_SIZE;
        *(u64 *)cpu->ist[i] = 0; // traps.c looks whether it stays so
    }
    cpu->tss.io_map = sizeof(struct tss);
}

// CS changes only by a far transfer; the data selectors are null for ever, as a Linux program finds
// them. After INIT the LDT lies at address 0, usable, where the program could put call gates into
// the kernel. RFLAGS: with NT left on the first IRETQ would fault, AC would lift SMAP.
static void tables_load(const struct cpu *cpu) {
    struct table_register gdtr = {sizeof(cpu->gdt) - 1, (u64)cpu->gdt};
    __asm__ volatile("lgdt %0\n\tpushq %q2\n\tlea 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n"
                     "1:\n\tmov %w3, %%ss\n\tmov %w1, %%ds\n\tmov %w1, %%es\n\t"
                     "mov %w1, %%fs\n\tmov %w1, %%gs\n\t"
                     "ltr %w4\n\tlldt %w1\n\tpushq %q5\n\tpopfq" ::"m"(gdtr),
                     "r"(0), "r"((u64)KERNEL_CS), "r"(KERNEL_SS), "r"(TSS_SELECTOR), "i"(RFLAGS_ONE)
                     : "rax", "memory", "cc");
}

// Nothing stays that the firmware left on: it could be open to the program. FSGSBASE is: whatever
// the program makes of its GS base, traps.asm knows the kernel's.
static void control_registers_init(void) {
    struct cpuid features = cpuid(1, 0);
    struct cpuid more = {0};
    // Some BIOSes cut CPUID off behind leaf 3 (IA32_MISC_ENABLE bit 22).
    u32 leaves = cpuid(0, 0).eax;
    if (leaves >= 7) more = cpuid(7, 0);
    u64 cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    if (features.edx & CPUID_1_EDX_MCE) cr4 |= CR4_MCE;
    if (features.edx & CPUID_1_EDX_PGE) cr4 |= CR4_PGE;
    if (features.ecx & CPUID_1_ECX_XSAVE && leaves >= CPUID_XSAVE) cr4 |= CR4_OSXSAVE;
    if (more.ebx & CPUID_7_EBX_FSGSBASE) cr4 |= CR4_FSGSBASE;
    if (more.ebx & CPUID_7_EBX_SMEP) cr4 |= CR4_SMEP;
    if (more.ebx & CPUID_7_EBX_SMAP) cr4 |= CR4_SMAP;
    if (more.ecx & CPUID_7_ECX_UMIP) cr4 |= CR4_UMIP;
    write_cr4(cr4);
    write_cr0(CR0_PE | CR0_MP | CR0_NE | CR0_WP | CR0_AM | CR0_PG);
    __asm__ volatile("mov %0, %%dr7" ::"r"((u64)DR7_NONE));
}

// As after reset, but PWT alone says write-combining (Intel SDM 3A 12.12.2; every CPU with long
// mode has it). Nothing is mapped with PWT alone before the boot CPU is here, so nothing in a cache
// changes its type; a page that another CPU remembers by its old one is forgotten when CR4.PGE goes
// on. 0 write-back, 1 write-combining, 2 uncached unless MTRRs say WC, 3 uncached
#define PAT_WITH_WC 0x0007040600070106ull

// SYSCALL takes CS from STAR[47:32] and SS 8 above; SYSRET takes SS 8 and CS 16 above STAR[63:48]
// (AMD APM 2 6.1.1). SYSENTER faults while its CS is null. Of EFER only what the low kernel chose
// stays: AMD's FFXSR would make FXSAVE leave out the XMM registers.
static void syscall_init(void) {
    wrmsr(MSR_EFER, (rdmsr(MSR_EFER) & (EFER_LME | EFER_LMA | EFER_NXE)) | EFER_SCE);
    wrmsr(MSR_SYSENTER_CS, 0);
    wrmsr(MSR_STAR, (u64)(USER_CS32 | 3) << 48 | (u64)KERNEL_CS << 32);
    wrmsr(MSR_LSTAR, (u64)syscall_entry);
    wrmsr(MSR_SFMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC);
}

// Makes CPU number what the kernel needs: GDT, TSS, IDT, GS, control registers, SYSCALL, vector
// state; the first time also the interrupt controllers, all lines masked. Runs on that CPU's slot
// stack; logs nothing.
void cpu_init(unsigned number) {
    u64 slot = SLOTS + number * (u64)SLOT_SIZE;
    struct cpu *cpu = (struct cpu *)slot;
    cpu->self = cpu;
    cpu->number = number;
    cpu->tlb = &tlb_first;
    cpu->stack_top = slot + SLOT_SIZE;
    gdt_init(cpu);
    if (number == 0) {
        idt_init();
        pic_init();
    }
    tables_load(cpu);
    wrmsr(MSR_FS_BASE, 0); // a null selector leaves the base on AMD CPUs
    wrmsr(MSR_KERNEL_GS_BASE, 0);
    // After the null selector, which clears the base on Intel CPUs, and before an NMI can come
    // here.
    wrmsr(MSR_GS_BASE, slot);
    struct table_register idtr = {sizeof(idt) - 1, (u64)idt};
    __asm__ volatile("lidt %0" ::"m"(idtr));
    wrmsr(MSR_PAT, PAT_WITH_WC);
    control_registers_init();
    if (number == 0) segments_init();
    machine_check_init();
    syscall_init();
    fpu_init();
}
