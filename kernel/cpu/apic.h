// The local APIC (Intel SDM 3A chapter 11): what each CPU has to take interrupts, to interrupt
// others, and to count. Its registers are memory (xAPIC) or MSRs (x2APIC); the choice is made once,
// for all CPUs.
#pragma once

#include "kernel/lib/types.h"

#define XAPIC_ID_MAX 254 // 255 is everybody
enum apic_mode { APIC_NONE, APIC_MEMORY, APIC_MSRS };

struct apic_setup {
    enum apic_mode mode;
    volatile u8 *registers; // APIC_MEMORY: where they are mapped, uncached
    u8 nmi_lint;  // the pin for NMIs, 0 or 1; 0xff: nobody says, which means 1, as on every PC
    bool nmi_low; // which is active low
};

// Pure. ecx and edx: of CPUID leaf 1; base: IA32_APIC_BASE as the firmware left it. x2APIC that the
// firmware switched on stays on: memory then shows nothing, and where its lock bit is set the way
// back is a fault. vmos switches it on only for CPUs that xAPIC cannot name.
enum apic_mode apic_choose(u32 ecx, u32 edx, u64 base, u32 highest_id);

u64 apic_base(void);                              // IA32_APIC_BASE, of a CPU that has a local APIC
void apic_set_up(const struct apic_setup *setup); // before the first apic_init()
// This CPU's: on, everything masked but the pin for NMIs; pics: and the one for the legacy PICs.
void apic_init(bool pics);
enum apic_mode apic_mode(void); // APIC_NONE before apic_set_up()
u32 apic_id(void);              // this CPU's; another number than CPUID's where firmware changed it
void apic_end_interrupt(void);
// Starts of other CPUs (SDM 3A 9.4.4): INIT makes the CPU with that APIC id wait for a SIPI, which
// lets it begin in real mode at page, below 1 MiB.
void apic_send_init(u32 id);
void apic_send_sipi(u32 id, u64 page);

// ---- this CPU's timer; it interrupts on VECTOR_TIMER ----
// One interrupt each time the count set comes to 0, at a 16th of the bus or crystal clock;
// tsc_deadline: when the TSC reaches IA32_TSC_DEADLINE (CPUID.1:ECX bit 24), whose writes then take
// effect at once.
void apic_timer_init(bool tsc_deadline);
void apic_timer_start(u32 count); // 0 stops it
u32 apic_timer_left(void);        // what is left of the count
