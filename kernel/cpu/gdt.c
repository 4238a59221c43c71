// Brings one CPU into the state the kernel runs in: segments, task state, control registers, SYSCALL. On entry the
// CPU's slot is mapped and zeroed and the stack is the slot's; on return faults are reported by our own handlers.
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/fpu.h"
#include "kernel/cpu/x86.h"
#include "kernel/lib/string.h"

// Descriptors (Intel SDM 3A 3.4.5). Bases and limits mean nothing in 64-bit mode. Accessed is set, so that the CPU
// never writes to the GDT.
#define SEGMENT_CODE        (0x9bull << 40) // present, code, readable, accessed
#define SEGMENT_DATA        (0x93ull << 40) // present, data, writable, accessed
#define SEGMENT_USER        (3ull << 45)    // DPL 3
#define SEGMENT_LONG        (1ull << 53)    // 64-bit code
#define SEGMENT_TSS         (0x89ull << 40) // present, available 64-bit TSS
#define GDT_ENTRY(selector) ((selector) / 8)

#define CPUID_1_EDX_MCE       (1u << 7)
#define CPUID_1_EDX_PGE       (1u << 13)
#define CPUID_1_EDX_DE        (1u << 2)
#define CPUID_7_EBX_SMEP      (1u << 7)
#define CPUID_7_EBX_SMAP      (1u << 20)
#define CPUID_7_ECX_UMIP      (1u << 2)
#define CPUID_EXTENDED_EDX_NX (1u << 20) // leaf 80000001h

static void gdt_init(struct cpu *cpu)
{
    u64 tss = (u64)&cpu->tss;
    cpu->gdt[GDT_ENTRY(KERNEL_CS)] = SEGMENT_CODE | SEGMENT_LONG;
    cpu->gdt[GDT_ENTRY(KERNEL_SS)] = SEGMENT_DATA;
    cpu->gdt[GDT_ENTRY(USER_SS)] = SEGMENT_DATA | SEGMENT_USER;
    cpu->gdt[GDT_ENTRY(USER_CS)] = SEGMENT_CODE | SEGMENT_LONG | SEGMENT_USER;
    cpu->gdt[GDT_ENTRY(TSS_SELECTOR)] =
        SEGMENT_TSS | (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
    cpu->gdt[GDT_ENTRY(TSS_SELECTOR) + 1] = tss >> 32;
}

static void tss_init(struct cpu *cpu)
{
    for (unsigned i = 0; i < IST_COUNT; i++) {
        cpu->ist[i].canary = IST_CANARY;
        cpu->tss.ist[i] = (u64)(&cpu->ist[i] + 1);
    }
    cpu->tss.rsp[0] = cpu->stack_top; // no gate uses it: every one has an IST stack
    cpu->tss.io_map = sizeof(struct tss);
}

// CS changes only by a far transfer; the data selectors are null for ever, as a Linux program finds them.
static void segments_load(const struct cpu *cpu)
{
    struct {
        u16 limit;
        u64 base;
    } __attribute__((packed)) gdtr = {sizeof(cpu->gdt) - 1, (u64)cpu->gdt};
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %q2\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "mov %w3, %%ss\n\t"
                     "mov %w1, %%ds\n\t"
                     "mov %w1, %%es\n\t"
                     "mov %w1, %%fs\n\t"
                     "mov %w1, %%gs\n\t"
                     "ltr %w4"
                     :
                     : "m"(gdtr), "r"(0), "r"((u64)KERNEL_CS), "r"(KERNEL_SS), "r"(TSS_SELECTOR)
                     : "rax", "memory");
}

static void control_registers_init(void)
{
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
    usercopy_smap = cr4 & CR4_SMAP;
    write_cr0((read_cr0() & ~(u64)(CR0_EM | CR0_TS)) | CR0_WP | CR0_NE | CR0_MP | CR0_AM);
}

// SYSCALL takes CS from STAR[47:32] and SS 8 above; SYSRET takes SS 8 and CS 16 above STAR[63:48] (AMD APM 2 6.1.1).
static void syscall_init(void)
{
    u64 efer = rdmsr(MSR_EFER) | EFER_SCE;
    if (cpuid(0x80000001, 0).edx & CPUID_EXTENDED_EDX_NX) efer |= EFER_NXE;
    wrmsr(MSR_EFER, efer);
    wrmsr(MSR_STAR, (u64)(USER_CS32 | 3) << 48 | (u64)KERNEL_CS << 32);
    wrmsr(MSR_LSTAR, (u64)syscall_entry);
    wrmsr(MSR_SFMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC);
}

void cpu_init(unsigned number)
{
    u64 slot = SLOTS + number * (u64)SLOT_SIZE;
    struct cpu *cpu = (struct cpu *)slot;
    cpu->self = cpu;
    cpu->number = number;
    cpu->stack_top = slot + SLOT_SIZE;
    gdt_init(cpu);
    tss_init(cpu);
    segments_load(cpu);
    wrmsr(MSR_FS_BASE, 0); // a null selector leaves the base on AMD CPUs
    wrmsr(MSR_KERNEL_GS_BASE, 0);
    wrmsr(MSR_GS_BASE, slot); // after the null selector, which clears it on Intel CPUs
    if (number == 0) {
        idt_init();
        pic_init();
    }
    idt_load();
    control_registers_init();
    syscall_init();
    fpu_init();
}
