// The memory type registers of the other CPUs: where the firmware set them on the boot CPU alone,
// or the CPU forgot them in its sleep, the same byte would have two memory types.
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/x86.h"

#define VARIABLE_MAX 32 // pairs
#define FIXED        11
#define REGISTERS    (1 + 2 * VARIABLE_MAX + FIXED)

static u64 boot_values[REGISTERS];
static u32 variable, count; // pairs; registers, 0: this CPU has none

// The MSR of register i: what rules the others, the pairs of base and mask, the fixed ones where
// there are any.
static u32 mtrrs_msr_of(u32 i) {
    static const u16 fixed[FIXED] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                     0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
    if (i == 0) return MSR_MTRR_DEFAULT;
    if (i <= 2 * variable) return MSR_MTRR_BASE(0) + i - 1;
    return fixed[i - 1 - 2 * variable];
}

void mtrrs_keep(void) {
    if (!(cpuid(1, 0).edx & CPUID_1_EDX_MTRR)) return;
    u64 cap = rdmsr(MSR_MTRR_CAP);
    variable = MIN((u32)(cap & MTRR_CAP_COUNT), VARIABLE_MAX);
    count = 1 + 2 * variable;
    if (cap & MTRR_CAP_FIXED) count += FIXED;
    for (u32 i = 0; i < count; i++) boot_values[i] = rdmsr(mtrrs_msr_of(i));
}

// Intel SDM 3A 12.11.7.2: with the caches off and empty, and no page remembered, global ones
// neither.
static void mtrrs_write_all(void) {
    u64 cr0 = read_cr0();
    u64 cr4 = read_cr4();
    write_cr0(cr0 | CR0_CD);
    wbinvd();
    write_cr4(cr4 & ~(u64)CR4_PGE);
    write_cr3(read_cr3());
    wrmsr(MSR_MTRR_DEFAULT, boot_values[0] & ~(u64)MTRR_DEFAULT_ON);
    for (u32 i = 1; i < count; i++) wrmsr(mtrrs_msr_of(i), boot_values[i]);
    wrmsr(MSR_MTRR_DEFAULT, boot_values[0]);
    wbinvd();
    write_cr3(read_cr3());
    write_cr0(cr0);
    write_cr4(cr4);
}

bool mtrrs_adopt(void) {
    for (u32 i = 0; i < count; i++) {
        if (rdmsr(mtrrs_msr_of(i)) == boot_values[i]) continue;
        mtrrs_write_all();
        return true;
    }
    return false;
}
