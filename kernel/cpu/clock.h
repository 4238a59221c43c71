// Counters of known rate, by which the TSC is measured, and what can be said about clocks without
// touching one.
#pragma once

#include "boot/bootinfo.h"
#include "kernel/cpu/x86.h"

#define NS_PER_S       1000000000ull
#define TSC_HZ_SLOWEST 4000000 // Bochs, when nobody tells it how fast to be; no real CPU comes near

#define HYPERVISOR_KVM    0x4b4d564b // "KVMK", EBX of leaf 40000000h
#define HYPERVISOR_VMWARE 0x61774d56 // "VMwa"

// ---- reference.c, shared with the loader, which starts the PIT ----
#define PIT_HZ      1193182
#define PIT_COMMAND 0x43

enum reference_source { REFERENCE_HPET, REFERENCE_PM_TIMER, REFERENCE_PIT };

struct reference {
    enum reference_source source;
    const char *name;
    u64 hz, turn;       // it counts up, modulo turn
    volatile u32 *hpet; // its registers, or NULL
    u16 pm_timer;       // port, or 0
};

struct reference reference_choose(enum reference_source from, volatile u32 *hpet, u16 pm_timer);
struct reading reference_read(const struct reference *r);
struct reading pit_start(void);

// ---- clock.c: pure ----
u64 mul_div(u64 a, u64 b, u64 c);

// ticks * factor, which is times 2^32.
static inline u64 scale(u64 ticks, u64 factor) {
    return (u64)((unsigned __int128)ticks * factor >> 32);
}

struct clock { // time = ns + (TSC - tsc) * ns_per_tsc
    u64 tsc, ns;
    u64 ns_per_tsc; // times 2^32; 0: not known yet
    u64 refine_at;  // TSC, not below tsc; UINT64_MAX: never
};

// What is said about the TSC's rate.
u64 clock_stated_hz(struct cpuid (*leaf)(u32, u32), const char **by);
bool clock_invariant(struct cpuid (*leaf)(u32, u32));

// What two readings say, and how sure that is.
u64 clock_ticks(const struct reference *r, const struct reading *from, const struct reading *to,
                u64 hz);
u64 clock_hz(const struct reference *r, const struct reading *from, const struct reading *to,
             u64 hz);
u64 clock_doubt(const struct reference *r, const struct reading *from, const struct reading *to,
                u64 hz);
u64 clock_offset(const struct reference *r, const struct reading *boot_cpu,
                 const struct reading *cpu, u64 hz, u64 doubt_per_tick, u64 *doubt);
