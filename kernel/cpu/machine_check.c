// Machine checks (Intel SDM 3B 15, AMD APM 2 9): the CPU found that it, a cache, a bus or memory is
// broken, and says in banks of MSRs what it knows. Each is a panic. Banks belong to a CPU or to
// several; only those can read them.
#include "kernel/cpu/panic.h"
#include "kernel/cpu/x86.h"
#include "kernel/lib/print.h"

#define CPUID_1_EDX_MCA (1u << 14)
#define MSR_MCG_CAP     0x179
#define MCG_BANKS       0xffu     // how many there are
#define BANKS_MAX       32        // more, on AMD CPUs, are elsewhere: VMX's registers come behind
#define MCG_CTL_P       (1u << 8) // MCG_CTL exists
#define MSR_MCG_STATUS  0x17a
#define MSR_MCG_CTL     0x17b
#define MSR_MC0_CTL     0x400 // four of each bank: control, status, address, details
#define MCI_VALID       (1ull << 63)
#define MCI_MISC        (1ull << 59)
#define MCI_ADDRESS     (1ull << 58)

static u64 mc_capabilities(void) {
    if (!(cpuid(1, 0).edx & CPUID_1_EDX_MCA)) return 0;
    return rdmsr(MSR_MCG_CAP);
}

static u32 mc_bank_count(u64 have) {
    u32 banks = have & MCG_BANKS;
    return MIN(banks, BANKS_MAX);
}

// Switches all banks on: an error in one that is off would stop the CPU, or pass in silence. The
// first bank of P6 and Core 2 belongs to firmware (Intel SDM 3B 15.3.2.1). What the banks hold at
// this time is from before a restart, so it is cleared.
void machine_check_init(void) {
    u64 have = mc_capabilities();
    u32 model = cpuid(1, 0).eax;
    u32 family = model >> 8 & 0xf;
    u32 number = (model >> 12 & 0xf0) + (model >> 4 & 0xf);
    u32 first = 0;
    if (family == 6 && number < 0x1a) first = 1;
    if (have & MCG_CTL_P) wrmsr(MSR_MCG_CTL, ~0ull);
    for (u32 bank = first; bank < mc_bank_count(have); bank++) wrmsr(MSR_MC0_CTL + 4 * bank, ~0ull);
    for (u32 bank = 0; bank < mc_bank_count(have); bank++) wrmsr(MSR_MC0_CTL + 4 * bank + 1, 0);
}

bool machine_check_text(char *text, size_t size) {
    u64 have = mc_capabilities();
    bool found = false;
    u64 overall = 0;
    if (have) overall = rdmsr(MSR_MCG_STATUS);
    size_t used = (size_t)format(text, size, "machine check, MCG_STATUS %#lx", overall);
    for (u32 bank = 0; bank < mc_bank_count(have) && used < size; bank++) {
        u32 msr = MSR_MC0_CTL + 4 * bank;
        u64 status = rdmsr(msr + 1);
        if (!(status & MCI_VALID)) continue;
        found = true;
        u64 address = 0;
        u64 misc = 0;
        if (status & MCI_ADDRESS) address = rdmsr(msr + 2);
        if (status & MCI_MISC) misc = rdmsr(msr + 3);
        used += (size_t)format(text + used, size - used,
                               "; bank %u: status %#lx, address %#lx, misc %#lx", bank, status,
                               address, misc);
    }
    return found;
}
