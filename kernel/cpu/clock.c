// What can be computed about clocks without touching one: the rate that a CPU states, the ticks
// between two readings of a counter, and by how much the TSCs of two CPUs differ. Pure.
#include "kernel/cpu/clock.h"

#define CPUID_15_CRYSTAL          0x15
#define CPUID_40000010_RATES      0x40000010
#define CPUID_80000007_POWER      0x80000007
#define CPUID_80000007_EDX_STEADY (1u << 8)
#define TSC_HZ_FASTEST            100000000000

// a * b / c, with 128 bits between; UINT64_MAX when it is more than 64 bits hold.
u64 mul_div(u64 a, u64 b, u64 c) {
    unsigned __int128 product = (unsigned __int128)a * b;
    u64 quotient, rest;
    if ((u64)(product >> 64) >= c) return UINT64_MAX;
    __asm__("divq %4"
            : "=a"(quotient), "=d"(rest)
            : "a"((u64)product), "d"((u64)(product >> 64)), "rm"(c)
            : "cc");
    return quotient;
}

// The TSC's rate in Hz as a hypervisor or the CPU states it, and who does; 0 and NULL when nobody
// does. A hypervisor's leaf comes first, since it knows when it scales the TSC. Other hypervisors
// than the two have something else at 40000010h. Leaf 15h (Intel SDM 3B 19.7.3) counts only whole:
// CPUs that leave out the crystal have it in no other leaf (16h is rounded, by up to 0.3 %), and
// tables by model were wrong for some.
u64 clock_stated_hz(struct cpuid (*leaf)(u32, u32), const char **by) {
    u64 hz = 0;
    if (leaf(1, 0).ecx & CPUID_1_ECX_HYPERVISOR) {
        struct cpuid about = leaf(0x40000000, 0);
        *by = "the hypervisor";
        if ((about.ebx == HYPERVISOR_KVM || about.ebx == HYPERVISOR_VMWARE) &&
            about.eax >= CPUID_40000010_RATES)
            hz = leaf(CPUID_40000010_RATES, 0).eax * 1000ull;
    }
    if (!hz && leaf(0, 0).eax >= CPUID_15_CRYSTAL) {
        struct cpuid ratio = leaf(CPUID_15_CRYSTAL, 0);
        *by = "CPUID leaf 15h";
        if (ratio.eax) hz = (u64)ratio.ecx * ratio.ebx / ratio.eax;
    }
    if (hz >= TSC_HZ_SLOWEST && hz <= TSC_HZ_FASTEST) return hz;
    *by = NULL;
    return 0;
}

// Whether the CPU says that the TSC's rate never changes.
bool clock_invariant(struct cpuid (*leaf)(u32, u32)) {
    return leaf(0x80000000, 0).eax >= CPUID_80000007_POWER &&
           leaf(CPUID_80000007_POWER, 0).edx & CPUID_80000007_EDX_STEADY;
}

// Ticks of the reference between two readings. The counts give them modulo a turn. The TSC's ticks
// at its rate hz say how many whole turns there were; that must be right to within half of a turn.
// hz 0: less than a turn has passed.
u64 clock_ticks(const struct reference *r, const struct reading *from, const struct reading *to,
                u64 hz) {
    u64 part = (to->count - from->count) & (r->turn - 1);
    if (!hz) return part;
    u64 expected = mul_div(to->tsc - from->tsc, r->hz, hz);
    if (expected < part) return part;
    u64 turns = (expected - part + r->turn / 2) / r->turn;
    return part + turns * r->turn;
}

// The TSC's rate in Hz by two readings; hz is what clock_ticks() wants.
u64 clock_hz(const struct reference *r, const struct reading *from, const struct reading *to,
             u64 hz) {
    return mul_div(to->tsc - from->tsc, r->hz, clock_ticks(r, from, to, hz));
}

// TSC ticks by which two readings may be wrong about the time between them: each count was read
// somewhere in its gap, and it is up to a tick old.
u64 clock_doubt(const struct reference *r, const struct reading *from, const struct reading *to,
                u64 hz) {
    return (from->gap + to->gap) / 2 + hz / r->hz + 1;
}

// What is missing from a CPU's TSC to be the boot CPU's; it wraps. The boot CPU's reading is the
// earlier one. What the readings and the rate leave unsure (of the rate: doubt_per_tick, times
// 2^32) goes to *doubt; a difference that is less counts as 0, and is added to *doubt. A TSC that
// is ahead by more than half a turn of the reference comes out ahead by whole turns less.
u64 clock_offset(const struct reference *r, const struct reading *boot_cpu,
                 const struct reading *cpu, u64 hz, u64 doubt_per_tick, u64 *doubt) {
    u64 elapsed = mul_div((cpu->count - boot_cpu->count) & (r->turn - 1), hz, r->hz);
    s64 turn = (s64)mul_div(r->turn, hz, r->hz);
    s64 offset = (s64)(boot_cpu->tsc + elapsed - cpu->tsc);
    s64 turns = 0; // that went by unseen
    if (offset < 0) turns = (turn / 2 - offset) / turn;
    offset += turns * turn;
    *doubt =
        clock_doubt(r, boot_cpu, cpu, hz) + scale(elapsed + (u64)(turns * turn), doubt_per_tick);
    u64 distance = (u64)offset;
    if (offset < 0) distance = -distance;
    if (distance > *doubt) return (u64)offset;
    *doubt += distance;
    return 0;
}
