// The local APIC (Intel SDM 3A chapter 11): what each CPU has to take interrupts, to interrupt
// others, and to count. Its registers are memory (xAPIC) or MSRs (x2APIC); the choice is made once,
// for all CPUs.
#pragma once

#include "kernel/lib/address.h"

#define XAPIC_ID_MAX 254 // 255 is everybody
enum apic_mode { APIC_NONE, APIC_MEMORY, APIC_MSRS };

struct apic_setup {
    enum apic_mode mode;
    volatile u8 *registers; // APIC_MEMORY: where they are mapped, uncached
    u8 nmi_lint;  // the pin for NMIs, 0 or 1; 0xff: nobody says, which means 1, as on every PC
    bool nmi_low; // which is active low
};

// The boot CPU chooses once, then each CPU makes its own ready.
enum apic_mode apic_choose(u32 ecx, u32 edx, u64 base, u32 highest_id);
u64 apic_base(void);
void apic_set_up(const struct apic_setup *setup);
void apic_init(bool pics);
enum apic_mode apic_mode(void);
u32 apic_id(void);
void apic_end_interrupt(void);

// How other CPUs start.
void apic_send_init(u32 id);
void apic_send_sipi(u32 id, paddr page);

// This CPU's timer, which interrupts on VECTOR_TIMER.
void apic_timer_init(bool tsc_deadline);
void apic_timer_start(u32 count);
u32 apic_timer_left(void);
