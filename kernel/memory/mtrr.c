// Memory type range registers: which memory they call write-back. What the registers mean together
// is decided by the sweep of e820.c: a type is write-back or not.
#include "kernel/memory/plan.h"

#include "kernel/cpu/x86.h"

#define MSR_MTRR_MASK(n)      (0x201 + 2 * (n))
#define MTRR_MASK_VALID       (1u << 11)
#define MSR_MTRR_FIX_00000    0x250 // 64 KiB each
#define MSR_MTRR_FIX_80000    0x258 // 16 KiB each
#define MTRR_DEFAULT_FIXED_ON (1u << 10)
#define MSR_SYSCFG            0xc0010010            // AMD since family 0Fh, and Hygon
#define SYSCFG_TOP2_FORCES_WB (1u << 21 | 1u << 22) // MtrrTom2En, Tom2ForceMemTypeWB
#define MSR_TOP_MEM2          0xc001001d
#define WRITE_BACK            6
#define FOUR_GIB              0x100000000ull

// Emulated CPUs of this vendor need not have SYSCFG, and reading a register that is not there ends
// in a fault.
static bool mtrr_has_syscfg(void) {
    u32 vendor = cpuid(0, 0).ebx;
    u32 family = cpuid(1, 0).eax >> 8 & 0xf;
    bool is_theirs = vendor == 0x68747541 || vendor == 0x6f677948; // "Auth", "Hygo"
    if (cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR) return false;
    return is_theirs && family == 0xf;
}

// Reads the registers of this CPU, which implements so many bits of a physical address.
void mtrr_read(struct mtrr *mtrr, unsigned address_bits) {
    *mtrr = (struct mtrr){.address_mask = (1ull << address_bits) - 1};
    if (!(cpuid(1, 0).edx & CPUID_1_EDX_MTRR)) return;
    u64 cap = rdmsr(MSR_MTRR_CAP);
    u64 settings = rdmsr(MSR_MTRR_DEFAULT);
    mtrr->on = settings & MTRR_DEFAULT_ON;
    mtrr->has_fixed = cap & MTRR_CAP_FIXED && settings & MTRR_DEFAULT_FIXED_ON;
    mtrr->default_type = settings & 0xff;
    if (mtrr->has_fixed) {
        mtrr->fixed[0] = rdmsr(MSR_MTRR_FIX_00000);
        mtrr->fixed[1] = rdmsr(MSR_MTRR_FIX_80000);
    }
    for (u32 i = 0; i < (cap & MTRR_CAP_COUNT) && mtrr->count < MTRR_VARIABLE; i++) {
        u64 mask = rdmsr(MSR_MTRR_MASK(i));
        if (!(mask & MTRR_MASK_VALID)) continue;
        mtrr->variable[mtrr->count].base = rdmsr(MSR_MTRR_BASE(i));
        mtrr->variable[mtrr->count++].mask = mask;
    }
    if (mtrr_has_syscfg() && (rdmsr(MSR_SYSCFG) & SYSCFG_TOP2_FORCES_WB) == SYSCFG_TOP2_FORCES_WB)
        mtrr->top = rdmsr(MSR_TOP_MEM2) & mtrr->address_mask;
}

static size_t mtrr_add(struct e820_entry *out, size_t count, u64 start, u64 end, u8 type) {
    if (start >= end) return count;
    out[count] = (struct e820_entry){start, end - start, 2}; // reserved
    if (type == WRITE_BACK) out[count].type = E820_USABLE;
    return count + 1;
}

// Some BIOSes compute masks for 36 address bits on a CPU with more, so that the set bits are
// consecutive and only those at the top missing. Taken at its word such a range would be there
// again every 64 GiB; Linux fills the top up, too.
static u64 mtrr_whole_mask(const struct mtrr *mtrr, u64 mask) {
    mask &= mtrr->address_mask & ~(PAGE_SIZE - 1ull);
    u64 lowest = mask & -mask;
    u64 carry = mask + lowest;
    if (carry & (carry - 1)) return mask;
    return mtrr->address_mask & -lowest;
}

// A mask with holes matches many small ranges. Of write-back ones the first is taken, of others all
// the addresses from the first to the last: a mistake costs memory, not correctness.
static size_t mtrr_add_variable(const struct mtrr *mtrr, size_t i, u64 low, struct e820_entry *out,
                                size_t count) {
    u64 mask = mtrr_whole_mask(mtrr, mtrr->variable[i].mask);
    u64 base = mtrr->variable[i].base & mask;
    u8 type = mtrr->variable[i].base & 0xff;
    u64 end = (base | (mtrr->address_mask & ~mask)) + 1;
    if (type == WRITE_BACK && mask) end = base + (mask & -mask);
    u64 above = FOUR_GIB;
    if (type != WRITE_BACK) above = MAX(mtrr->top, FOUR_GIB);
    count = mtrr_add(out, count, MAX(base, low), MIN(end, FOUR_GIB), type);
    return mtrr_add(out, count, MAX(base, above), end, type);
}

// Makes a memory map whose usable entries are the write-back ranges; returns the number of entries,
// at most MTRR_ENTRIES; 0 when nothing is known. Where registers contradict each other, memory does
// not count as write-back.
size_t mtrr_write_back(const struct mtrr *mtrr, struct e820_entry *out) {
    // Switched on but blank: a hypervisor, too. Taken at its word no memory would be cached.
    bool is_blank = mtrr->default_type != WRITE_BACK && !mtrr->count && !mtrr->top;
    if (!mtrr->on || is_blank) return 0;
    u64 low = 0;
    if (mtrr->has_fixed) low = HIGH_MEMORY;
    size_t count = 0;
    for (unsigned i = 0; mtrr->has_fixed && i < 8; i++) {
        count =
            mtrr_add(out, count, i * 0x10000u, (i + 1) * 0x10000u, (u8)(mtrr->fixed[0] >> 8 * i));
        count = mtrr_add(out, count, 0x80000 + i * 0x4000u, 0x80000 + (i + 1) * 0x4000u,
                         (u8)(mtrr->fixed[1] >> 8 * i));
    }
    if (mtrr->default_type == WRITE_BACK) count = mtrr_add(out, count, low, E820_TOP, WRITE_BACK);
    for (size_t i = 0; i < mtrr->count; i++) count = mtrr_add_variable(mtrr, i, low, out, count);
    return mtrr_add(out, count, FOUR_GIB, mtrr->top, WRITE_BACK);
}
