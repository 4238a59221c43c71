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

// The first that there is, from a source on. An HPET that the firmware left off is started; one
// without a plausible rate is none.
struct reference reference_choose(enum reference_source from, volatile u32 *hpet, u16 pm_timer);
struct reading reference_read(const struct reference *r);
struct reading pit_start(void); // its channel 2 goes round, with the speaker off

// ---- clock.c: pure ----
// a * b / c, with 128 bits between; UINT64_MAX when it is more.
u64 mul_div(u64 a, u64 b, u64 c);
static inline u64 scale(u64 ticks, u64 factor) {
    return (u64)((unsigned __int128)ticks * factor >> 32);
}

// The TSC's rate as a hypervisor or the CPU states it, and who does; 0: nobody.
u64 clock_stated_hz(struct cpuid (*leaf)(u32, u32), const char **by);
bool clock_invariant(struct cpuid (*leaf)(u32, u32)); // the TSC's rate never changes

// Ticks of the reference between two readings: their difference modulo a turn, plus the number of
// whole turns that brings it nearest to what a TSC rate says that is right to within half of them;
// hz 0: less than a turn.
u64 clock_ticks(const struct reference *r, const struct reading *from, const struct reading *to,
                u64 hz);
u64 clock_hz(const struct reference *r, const struct reading *from, const struct reading *to,
             u64 hz);

// What two readings leave unsure about the TSC ticks between them.
u64 clock_doubt(const struct reference *r, const struct reading *from, const struct reading *to,
                u64 hz);
// What is missing from a CPU's TSC (wraps): 0 when that is less than what is unsure, of the
// readings and of the rate (doubt_per_tick, times 2^32); how wrong that may be goes to doubt. The
// boot CPU's reading is the earlier one.
// A TSC that is ahead by more than half a turn of the reference comes out ahead by whole turns
// less.
u64 clock_offset(const struct reference *r, const struct reading *boot_cpu,
                 const struct reading *cpu, u64 hz, u64 doubt_per_tick, u64 *doubt);
