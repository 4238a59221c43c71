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

void time_init(volatile u32 *hpet_registers, u16 pm_timer_port, const struct reading *pit);
void time_cpu_joined(void); // any other CPU
void time_cpu_alone(void);  // no other CPU will come
u64 tsc(void);
u64 time_now_ns(void); // since the boot CPU's first reading
u64 time_tsc_to_ns(u64 ticks);
u64 time_ns_to_tsc(u64 ns);
u64 time_refined_in(void);

// ---- timer.c ----
void timer_init(void); // this CPU's; the two above call it
void timer_set(u64 deadline_ns);
