// All CPUs: their numbers, their start, and what they say to each other. CPU n lives in slot n; 0
// is the boot CPU, the others are numbered in the order in which they arrive.
#pragma once

#include "kernel/cpu/cpu.h"

#define CPUS_MAX 1024 // slots in the address space

static inline struct cpu *cpu_number(unsigned number) {
    return (struct cpu *)(SLOTS + number * (u64)SLOT_SIZE);
}
unsigned cpus_online(void);   // those that have arrived: 0 to this - 1
unsigned cpus_expected(void); // and those that may still come
// This CPU by its stack, whatever GS is; NULL in the low stage.
static inline struct cpu *cpu_by_stack(void) {
    u64 here = (u64)__builtin_frame_address(0);
    return here >= SLOTS ? (struct cpu *)ROUND_DOWN(here, SLOT_SIZE) : NULL;
}

struct cpus_way {   // from real mode into the kernel
    u8 *page;       // where CPUs begin, as the kernel sees it; theirs for ever
    u64 start;      // the same page: its physical address, below 1 MiB
    u64 first_root; // PML4 below 4 GiB that shows this page at its own address, and the kernel
    u64 root;       // the kernel's page tables
};
// Starts CPUs that are waiting for a SIPI: slots 1 to count are made, any of the CPUs with these
// APIC ids takes any of them. Waits for nobody. ids must stay.
void cpus_wake(const u32 *ids, unsigned count, const struct cpus_way *way);
// What every other CPU does, now or when it arrives, after cpu_init() on its own stack; until then,
// and when it returns, it sleeps.
void cpus_set_join(void (*run)(void));

// Interrupts between CPUs. Vectors above all devices', by the APIC's priority classes (Intel SDM
// 3A 11.8.3.1).
enum { VECTOR_TIMER = 0xf0, VECTOR_IPI, VECTOR_SPURIOUS = 0xff };
void ipi_send(unsigned cpu); // wakes it, and makes it serve: see cpu_serve()
void ipi_nmi(unsigned cpu);

// What this CPU was asked by others and can do anywhere: TLB flushes, and stopping. For whoever
// waits with interrupts off.
void cpu_serve(void);

// ---- tlb.c ----
// What CPUs remember of a root of page tables, and how they forget it together. Pages may be given
// away, and a change of rights counts, only after tlb_flush(); a page table only after one that was
// told so.
//
// A CPU uses a root from tlb_enter() to tlb_leave(): an idle CPU is not woken because of it. Who
// changed entries counts up the generation and then looks who uses the root; who comes to use it
// says so and then looks at the generation. So one of them sees the other. An idle CPU may still
// walk the tables of the root that it used last without being asked to, and set accessed bits in
// them, so it takes part when a table goes.
struct tlb {
    u64 root;       // CR3
    u64 generation; // counts the flushes, so every change of a present entry
    u64 start, end; // of the latest one
};
extern struct tlb tlb_first; // of the root that CPUs start with, which is the first program's

// All CPUs forget [start, end) of the program's half, whose entries have changed: returns when they
// have. tables: page tables were taken out, too. One CPU at a time for each root; the others serve,
// wherever they wait, or are interrupted. Panics when one does not, after seconds.
void tlb_flush(struct tlb *tlb, u64 start, u64 end, bool tables);
void tlb_forget(u64 address); // this CPU alone: another one has given it more rights
u64 tlb_generation(const struct tlb *tlb);

void tlb_serve(void);            // does what this CPU is asked to: from cpu_serve()
void tlb_enter(struct tlb *tlb); // when the CPU counts as online, and uses none
bool tlb_leave(void);            // whether it used one

// ---- stop.c ----
// Whether another CPU ends the machine, so that this one has to stop; halts here for ever if so.
bool stop_wanted(void);
void stop_serve(void);
bool cpus_stopping(void); // some CPU ends the machine

// Looks after CPUs that have not arrived: the second SIPI, and their names when the deadline has
// passed. Called by CPU 0 from time to time; returns when it wants to be called again
// (time_now_ns()), UINT64_MAX for never.
u64 cpus_watch(void);

// ---- watch.c ----
void watch_add(u64 (*look)(
    u64 now)); // look returns when it wants to be called again, UINT64_MAX: not before watch_by()
void watch_by(u64 when); // all looks are called by then; from any CPU, in interrupts too
u64 watch_next(void);
void watch_run(u64 now); // on CPU 0

struct watch {
    u64 next; // when second SIPIs are due, and once they went out, when nobody is waited for any
              // more
    unsigned came;    // until now
    bool again, over; // second SIPIs went out; nobody is waited for
};
// How the watch goes on; whether second SIPIs are due now. Pure.
bool watch_step(struct watch *watch, unsigned awaited, unsigned came, u64 now);
