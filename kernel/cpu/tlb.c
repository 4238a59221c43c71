// What CPUs remember of page tables, and how they forget it together; cpus.h has the protocol.
// Who begins a generation waits until every CPU that uses the space has served it, so start and end
// cannot have been overwritten before.

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

struct tlb tlb_first;
static struct tlb moving; // of a CPU between two roots

static void tlb_forget_all(void) { write_cr3(read_cr3()); } // all that is not global

// INVLPG empties the CPU's memory of tables, too (Intel SDM 3A 4.10.4.1), and forgets a page of any
// size.
static void tlb_forget_here(u64 start, u64 end) {
    if ((end - start) / PAGE_SIZE > PAGES_MAX)
        tlb_forget_all();
    else
        for (; start < end; start += PAGE_SIZE) invlpg(start);
}

// This CPU alone forgets a page of the program: another one has given it more rights.
void tlb_forget(u64 address) {
    invlpg(address);
    this_cpu()->tlb_forgot++;
}

// Counts the flushes, so every change of a present entry.
u64 tlb_generation(const struct tlb *tlb) { return LOAD(&tlb->generation); }

static void tlb_catch_up(struct cpu *cpu, struct tlb *tlb, u64 now, bool range_counts) {
    if (range_counts && now == cpu->tlb_seen + 1)
        tlb_forget_here(LOAD(&tlb->start), tlb->end);
    else if (now != cpu->tlb_seen)
        tlb_forget_all();
    STORE(&cpu->tlb_seen, now);
}

// While it moves it counts with both roots, so that a table of neither goes while it may still, or
// already, walk it. It has seen nothing of the new one: what it had seen of the old one would look
// as if it had, if that was flushed more often.
static void tlb_move(struct cpu *cpu, struct tlb *to) {
    STORE(&cpu->tlb, &moving);
    STORE(&cpu->tlb_seen, 0);
    write_cr3(to->root.at);
    STORE(&cpu->tlb, to);
}

// Forgets what this CPU is asked to forget; cpu_serve() calls it.
void tlb_serve(void) {
    struct cpu *cpu = this_cpu();
    if (LOAD(&cpu->tlb->is_over)) tlb_move(cpu, &tlb_first);
    tlb_catch_up(cpu, cpu->tlb, LOAD(&cpu->tlb->generation), cpu->tlb_used);
}

// From here on this CPU uses a root. It counts as online, and uses none so far.
void tlb_enter(struct tlb *tlb) {
    struct cpu *cpu = this_cpu();
    if (cpu->tlb != tlb) tlb_move(cpu, tlb);
    STORE(&cpu->tlb_used, true);
    tlb_catch_up(cpu, tlb, LOAD(&tlb->generation), false);
}

// From here on this CPU uses no root; returns whether it used one.
bool tlb_leave(void) { return __atomic_exchange_n(&this_cpu()->tlb_used, false, __ATOMIC_SEQ_CST); }

// Whether a CPU may remember what is flushed.
static bool tlb_concerns(const struct cpu *cpu, const struct tlb *tlb, bool tables) {
    const struct tlb *its = LOAD(&cpu->tlb);
    return its == &moving || (its == tlb && (tables || LOAD(&cpu->tlb_used)));
}

static void tlb_wait_for(const struct cpu *cpu, const struct tlb *tlb, u64 now, bool tables) {
    u32 tries = 0;
    while (tlb_concerns(cpu, tlb, tables) && LOAD(&cpu->tlb_seen) < now) {
        if (++tries > TRIES_MAX) panic("CPU %u does not flush its TLB", cpu->number);
        cpu_serve();
        __asm__ volatile("pause");
    }
}

// All CPUs forget [start, end) of the program's half, whose entries have changed; returns when they
// have. tables: page tables were taken out, too. One CPU at a time calls this for each root; the
// others serve, wherever they wait, or are interrupted. Panics when one does not, after seconds.
void tlb_flush(struct tlb *tlb, u64 start, u64 end, bool tables) {
    struct cpu *self = this_cpu();
    tlb->start = start;
    tlb->end = end;
    u64 now = ADD(&tlb->generation, 1);
    if (self->tlb == tlb) tlb_catch_up(self, tlb, now, true);
    unsigned online = cpus_online();
    for (unsigned n = 0; n < online; n++)
        if (n != self->number && tlb_concerns(cpu_number(n), tlb, tables)) ipi_send(n);
    for (unsigned n = 0; n < online; n++)
        if (n != self->number) tlb_wait_for(cpu_number(n), tlb, now, tables);
}

// The root is about to go, and no CPU uses it: those that used it last go back to the kernel's own.
// Panics as tlb_flush() does.
void tlb_end(struct tlb *tlb) {
    u32 tries = 0;
    STORE(&tlb->is_over, true);
    tlb_serve();
    unsigned online = cpus_online();
    for (unsigned n = 0; n < online; n++)
        if (LOAD(&cpu_number(n)->tlb) == tlb) ipi_send(n);
    for (unsigned n = 0; n < online; n++) {
        while (LOAD(&cpu_number(n)->tlb) == tlb) {
            if (++tries > TRIES_MAX) panic("CPU %u keeps a root that goes", n);
            cpu_serve();
            __asm__ volatile("pause");
        }
    }
}
