// kernel/cpu/mtrrs.c on a CPU made of variables: nothing is written where nothing differs, else
// everything, in the manual's order.
#include <string.h>

#include "test/check.h"
#include "kernel/cpu/x86.h"

static u64 msrs[0x300], the_cr0, the_cr4;
static bool has_mtrrs, empty, forgot; // the caches; what was remembered of pages
static unsigned writes, wrong;

static void fake_write(u32 msr, u64 value) {
    bool is_default = msr == MSR_MTRR_DEFAULT, on = msrs[MSR_MTRR_DEFAULT] & MTRR_DEFAULT_ON;
    wrong += !(the_cr0 & CR0_CD) || the_cr4 & CR4_PGE || !empty || !forgot || (on && !is_default);
    wrong += !is_default && !(msr >= 0x200 && msr < 0x200 + 2 * (msrs[MSR_MTRR_CAP] & 0xff)) &&
             msr < 0x250;
    msrs[msr] = value;
    empty = forgot = !is_default || !(value & MTRR_DEFAULT_ON); // after the last one both again
    writes++;
}

static void fake_write_cr0(u64 value) {
    wrong += !(value & CR0_CD) && (writes && (!empty || !forgot));
    the_cr0 = value;
}

#define rdmsr(msr)           msrs[msr]
#define wrmsr(msr, value)    fake_write(msr, value)
#define cpuid(leaf, subleaf) ((struct cpuid){.edx = has_mtrrs ? CPUID_1_EDX_MTRR : 0})
#define read_cr0()           the_cr0
#define write_cr0(value)     fake_write_cr0(value)
#define read_cr3()           0
#define write_cr3(value)     ((void)(value), forgot = true)
#define read_cr4()           the_cr4
#define write_cr4(value)     (the_cr4 = (value))
#define wbinvd()             (empty = the_cr0 & CR0_CD)
#include "kernel/cpu/mtrrs.c"

// The boot CPU's, with so many pairs; then a CPU where register changed, or none (0).
static void try(u32 cap, u32 changed, unsigned written) {
    memset(msrs, 0, sizeof msrs);
    for (u32 i = 0x200; i < 0x300; i++) msrs[i] = i * 0x0101010101;
    msrs[MSR_MTRR_CAP] = cap, msrs[MSR_MTRR_DEFAULT] = MTRR_DEFAULT_ON | 6;
    u64 before[ARRAY_SIZE(msrs)];
    memcpy(before, msrs, sizeof msrs);
    mtrrs_keep();
    the_cr0 = CR0_PG | CR0_PE, the_cr4 = CR4_PAE | CR4_PGE, writes = wrong = 0,
    empty = forgot = false;
    if (changed) msrs[changed] ^= 0x30000;
    CHECK(mtrrs_adopt() == (written > 0) && writes == written && !wrong);
    CHECK(!written || !memcmp(before, msrs, sizeof msrs));
    CHECK(the_cr0 == (CR0_PG | CR0_PE) && the_cr4 == (CR4_PAE | CR4_PGE));
}

int main(void) {
    try(MTRR_CAP_FIXED | 8, 0x20f,
        0); // no such registers yet: nobody has asked a CPU that has them
    has_mtrrs = true;
    try(MTRR_CAP_FIXED | 8, 0, 0);
    for (u32 i = 0x200; i < 0x210; i++) try(MTRR_CAP_FIXED | 8, i, 2 + 16 + 11);
    try(MTRR_CAP_FIXED | 8, 0x210, 0); // beyond the eighth pair
    for (u32 i = 0x268; i < 0x270; i++) try(MTRR_CAP_FIXED | 10, i, 2 + 20 + 11);
    try(MTRR_CAP_FIXED | 10, 0x250, 2 + 20 + 11);
    try(10, 0x250, 0); // no fixed ones
    try(10, MSR_MTRR_DEFAULT, 2 + 20);
    return check_done("mtrrs");
}
