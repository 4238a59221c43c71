// All CPUs: their numbers, their start, and what they say to each other. CPU n lives in slot n; 0
// is the boot CPU, the others are numbered in the order in which they arrive.
#pragma once

#include "kernel/cpu/cpu.h"
#include "kernel/lib/address.h"

#define CPUS_MAX 1024 // slots in the address space

static inline struct cpu *cpu_number(unsigned number) {
    return (struct cpu *)(SLOTS + number * (u64)SLOT_SIZE);
}
unsigned cpus_online(void);   // those that have arrived
unsigned cpus_expected(void); // and those that may still come

// This CPU by its stack, whatever GS is; NULL in the low kernel.
static inline struct cpu *cpu_by_stack(void) {
    u64 here = (u64)__builtin_frame_address(0);
    if (here < SLOTS) return NULL;
    return (struct cpu *)ROUND_DOWN(here, SLOT_SIZE);
}

struct cpus_way {     // from real mode into the kernel
    u8 *page;         // where CPUs begin, as the kernel sees it; theirs for ever
    paddr start;      // the same page: its physical address, below 1 MiB
    paddr first_root; // PML4 below 4 GiB that shows this page at its own address, and the kernel
    paddr root;       // the kernel's page tables
};
void cpus_wake(const u32 *ids, unsigned count, const struct cpus_way *way);
void cpus_set_join(void (*run)(void)); // what they do then

// Interrupts between CPUs. Vectors above all devices', by the APIC's priority classes (Intel SDM
// 3A 11.8.3.1).
enum { VECTOR_TIMER = 0xf0, VECTOR_IPI, VECTOR_SPURIOUS = 0xff };
void ipi_send(unsigned cpu);
void ipi_nmi(unsigned cpu);
void cpu_serve(void); // what the others asked of this one

// ---- tlb.c ----
// What CPUs remember of a root of page tables, and how they forget it together. Pages may be given
// away, and a change of rights counts, only after tlb_flush(); a page table only after one that was
// told so.
//
// A CPU uses a root from tlb_enter() to tlb_leave(); an idle CPU uses none, so a flush does not
// wake it. Who changed entries counts up the generation, and then looks who uses the root. Who
// comes to use it says so, and then looks at the generation. So one of the two sees the other.
//
// An idle CPU still has the root that it used last. It may walk those tables by itself, and set
// accessed bits in them. So idle CPUs take part, too, when a table goes.
struct tlb {
    paddr root;     // CR3
    u64 generation; // counts the flushes, so every change of a present entry
    u64 start, end; // of the latest one
    bool is_over;   // no CPU enters it any more
};
extern struct tlb tlb_first; // of the root that CPUs start with, in which no program is

void tlb_flush(struct tlb *tlb, u64 start, u64 end, bool tables); // on all CPUs
void tlb_forget(u64 address);                                     // on this one
u64 tlb_generation(const struct tlb *tlb);

void tlb_serve(void);
void tlb_enter(struct tlb *tlb);
bool tlb_leave(void); // whether it used one
void tlb_end(struct tlb *tlb);

// ---- stop.c ----
// Whether another CPU ends the machine, so that this one has to stop; halts here for ever if so.
bool stop_wanted(void);
void stop_serve(void);
bool cpus_stopping(void); // some CPU ends the machine

// ---- watch.c ----
void watch_add(u64 (*look)(u64 now)); // which CPU 0 calls from time to time
void watch_by(u64 when);
u64 watch_next(void);
void watch_run(u64 now);

// ---- cpus.c again: those that have not arrived ----
u64 cpus_watch(void);

struct watch {
    u64 next;      // when second SIPIs are due; once they went out, when nobody is waited for
    unsigned came; // until now
    bool again;    // second SIPIs went out
    bool over;     // nobody is waited for any more
};
bool watch_step(struct watch *watch, unsigned awaited, unsigned came, u64 now);
