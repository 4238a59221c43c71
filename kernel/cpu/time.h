// Time from the TSC, the same on all CPUs, and the one-shot timer that ends a sleep. Its rate is
// what the hypervisor or the CPU states, else it is measured against a reference counter by two
// readings that lie apart anyway.
#pragma once

#include "boot/bootinfo.h"

// Of one CPU; struct cpu has it.
struct time_cpu {
    struct reading first; // of this CPU's TSC
    bool unknown;         // how far it is off
    u64 offset;           // what is missing from it to be the boot CPU's; wraps
    u64 doubt;            // by how much that may be wrong
    u64 timer_tsc;        // when the APIC timer was started,
    u32 timer_count;      // and with what
};

// The boot CPU takes its first reading, of the best counter there is: an HPET by its registers
// (NULL: none), a PM timer by its port (0: none), else the PIT, which the loader has read.
void time_init(volatile u32 *hpet_registers, u16 pm_timer_port, const struct reading *pit);
void time_cpu_joined(
    void);     // any other CPU, once, when its local APIC is on and before it uses the rest
u64 tsc(void); // the boot CPU's
// Since the first reading; never runs backwards, from whichever CPU one looks; calibrates at first
// use. Not for NMIs.
u64 time_now_ns(void);
u64 time_tsc_to_ns(u64 ticks); // a difference of time stamps
u64 time_ns_to_tsc(u64 ns);
u64 time_refined_in(void); // ns until there is a better rate; UINT64_MAX: never

// ---- timer.c ----
void timer_init(void); // this CPU's, by the two above
// One interrupt on this CPU, which does nothing but wake: at time_now_ns() deadline_ns or soon
// after it, at once when that is over; perhaps before, when it is long. Whoever sleeps longer looks
// at the time and calls again.
void timer_set(u64 deadline_ns);
