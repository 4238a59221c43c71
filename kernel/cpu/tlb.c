// See cpus.h. While a CPU that uses the space has not served a generation, that one's initiator
// waits for it, so the range is still the generation's.

#include "kernel/cpu/cpus.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"

#define PAGES_MAX 32 // flushed one by one, else everything
// seconds at least; not a time, which goes on while a virtual machine stands
#define TRIES_MAX (1u << 28)

// What CPUs share. STEP is for the test, where another CPU may come in between.
#ifndef STEP
#define STEP() ((void)0)
#endif
#define LOAD(at)         (STEP(), __atomic_load_n(at, __ATOMIC_SEQ_CST))
#define STORE(at, value) (STEP(), __atomic_store_n(at, value, __ATOMIC_SEQ_CST))
#define ADD(at, value)   (STEP(), __atomic_add_fetch(at, value, __ATOMIC_SEQ_CST))

static u64 generation, range_start, range_end; // of the latest flush

static void tlb_forget_all(void) { write_cr3(read_cr3()); } // all that is not global

// INVLPG empties the CPU's memory of tables, too (Intel SDM 3A 4.10.4.1), and forgets a page of any
// size.
static void tlb_forget_here(u64 start, u64 end) {
    if ((end - start) / PAGE_SIZE > PAGES_MAX)
        tlb_forget_all();
    else
        for (; start < end; start += PAGE_SIZE) invlpg(start);
}

void tlb_forget(u64 address) {
    invlpg(address);
    this_cpu()->tlb_forgot++;
}

u64 tlb_generation(void) { return LOAD(&generation); }

static void tlb_catch_up(struct cpu *cpu, u64 now, bool range_counts) {
    if (range_counts && now == cpu->tlb_seen + 1)
        tlb_forget_here(LOAD(&range_start), range_end);
    else if (now != cpu->tlb_seen)
        tlb_forget_all();
    STORE(&cpu->tlb_seen, now);
}

void tlb_serve(void) {
    struct cpu *cpu = this_cpu();
    tlb_catch_up(cpu, LOAD(&generation), cpu->tlb_used);
}

void tlb_enter(void) {
    struct cpu *cpu = this_cpu();
    STORE(&cpu->tlb_used, true);
    tlb_catch_up(cpu, LOAD(&generation), false);
}

bool tlb_leave(void) { return __atomic_exchange_n(&this_cpu()->tlb_used, false, __ATOMIC_SEQ_CST); }

static void tlb_wait_for(const struct cpu *cpu, u64 now, bool tables) {
    u32 tries = 0;
    while (LOAD(&cpu->tlb_seen) < now && (tables || LOAD(&cpu->tlb_used))) {
        if (++tries > TRIES_MAX) panic("CPU %u does not flush its TLB", cpu->number);
        cpu_serve();
        __asm__ volatile("pause");
    }
}

void tlb_flush(u64 start, u64 end, bool tables) {
    struct cpu *self = this_cpu();
    range_start = start;
    range_end = end;
    u64 now = ADD(&generation, 1);
    tlb_catch_up(self, now, true);
    unsigned online = cpus_online();
    for (unsigned n = 0; n < online; n++)
        if (n != self->number && (tables || LOAD(&cpu_number(n)->tlb_used))) ipi_send(n);
    for (unsigned n = 0; n < online; n++)
        if (n != self->number) tlb_wait_for(cpu_number(n), now, tables);
}
