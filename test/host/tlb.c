// flags: -O1 -fsanitize=thread -pthread
// The TLB shootdown with threads, under ThreadSanitizer: each thread is a CPU with a TLB of its
// own, which goes idle and comes back, takes interrupts between two steps when it likes, and
// changes the page tables when it has the lock. There are two roots, and who comes back may go on
// in the other one. No CPU may reach a page that was given back, nor, idle or not, walk a page
// table that was.
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "test/check.h"
#define log kernel_log // the C library has one of its own
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/lock.h"
#include "kernel/cpu/x86.h"

#define CPUS        5
#define ROOTS       2
#define PAGES       64 // of each, in two tables
#define FRAMES      4096
#define ROUNDS      4000
#define IDLE_SERVED 50 // at least, to have tested anything

static struct test_cpu {
    struct cpu cpu; // as the kernel has it
    u32 tlb[PAGES]; // frames; 0: not remembered
    u32 tables[2];
    u64 root;
    bool asked;
    unsigned random;
    u64 reached, walked, moved;
} cpus[CPUS];
static __thread struct test_cpu *me;
static unsigned online = 1, done;
static unsigned idle_served;                       // flushes that reached an idle CPU, of all
static u32 entries[ROOTS][PAGES], roots[ROOTS][2]; // frames; 0: not present
static bool in_use[FRAMES];

static unsigned rnd(unsigned n) {
    me->random = me->random * 1103515245 + 12345;
    return (me->random >> 16) % n;
}

static void step(void) { // time passes, and others come in between
    for (unsigned i = me && rnd(4) == 0 ? rnd(30) : 0; i; i--) sched_yield();
}

static void forget_page(u64 address) {
    me->tlb[address / PAGE_SIZE] = me->tables[0] = me->tables[1] = 0;
}
static void walk(unsigned page);
static void walk_early(void) { walk(rnd(PAGES)); }
#include "test/tlb_cpu.h"
#include "kernel/cpu/lock.c"
void ipi_send(unsigned cpu) {
    if (cpu >= CPUS) abort();
    STORE(&cpus[cpu].asked, true);
}
void cpu_serve(void) {
    tlb_serve();
    sched_yield();
}

static void take_interrupt(void) {
    if (__atomic_exchange_n(&me->asked, false, __ATOMIC_SEQ_CST)) tlb_serve();
}

// What the CPU may do at any time: it remembers where a table is, and reads it.
static void walk(unsigned page) {
    u32 *table = &me->tables[page % 2];
    if (!*table) *table = LOAD(&roots[me->root][page % 2]);
    if (*table && !LOAD(&in_use[*table])) CHECK(!"the table is there");
    me->walked += *table != 0;
}

static void reach(unsigned page) {
    if (!me->tlb[page]) me->tlb[page] = LOAD(&entries[me->root][page]);
    if (me->tlb[page] && !LOAD(&in_use[me->tlb[page]])) CHECK(!"the page is there");
    me->reached += me->tlb[page] != 0;
}

static u32 frame_take(void) {
    u32 frame = 1 + rnd(FRAMES - 1);
    while (LOAD(&in_use[frame])) frame = 1 + rnd(FRAMES - 1);
    STORE(&in_use[frame], true);
    return frame;
}

static struct tlb second = {.root = {1}};

// Of a root that this CPU need not be in.
static void change(void) {
    static struct lock locks[ROOTS];
    unsigned of = rnd(ROOTS);
    struct lock *lock = &locks[of];
    unsigned count = 1 + rnd(rnd(4) ? 5 : PAGES), first = rnd(PAGES - count + 1), table = rnd(8);
    u32 old[PAGES], old_table = 0;
    lock_take(lock);
    for (unsigned i = 0; i < count; i++) {
        old[i] = entries[of][first + i];
        STORE(&entries[of][first + i], 0);
    }
    if (table < 2) {
        old_table = roots[of][table];
        STORE(&roots[of][table], 0);
    }
    tlb_flush(of ? &second : &tlb_first, first * PAGE_SIZE, (first + count) * PAGE_SIZE, table < 2);
    for (unsigned i = 0; i < count; i++)
        if (old[i]) STORE(&in_use[old[i]], false);
    if (old_table) STORE(&in_use[old_table], false);
    for (unsigned i = 0; i < count; i++) STORE(&entries[of][first + i], frame_take());
    if (table < 2) STORE(&roots[of][table], frame_take());
    lock_give(lock);
}

static void idle(void) {
    tlb_leave();
    for (unsigned i = rnd(8); i; i--) {
        u64 seen = me->cpu.tlb_seen;
        walk(rnd(PAGES));
        take_interrupt();
        if (me->cpu.tlb_seen != seen) __atomic_add_fetch(&idle_served, 1, __ATOMIC_SEQ_CST);
        sched_yield();
    }
    u64 before = me->root;
    tlb_enter(rnd(ROOTS) ? &second : &tlb_first);
    me->moved += me->root != before;
}

// Whether an idle CPU is ever asked for anything is up to the host: a thread that has its
// processor to itself does all its rounds while no other one changes a thing. So the rounds go on
// until it was seen; the bound ends a test in which it never is.
static bool go_on(int round) {
    if (round < ROUNDS) return true;
    return LOAD(&idle_served) <= IDLE_SERVED && round < 1000 * ROUNDS;
}

static void *work(void *argument) {
    me = argument;
    me->cpu.number = (unsigned)(me - cpus);
    me->random = me->cpu.number + 1;
    if (me != cpus) STORE(&online, me->cpu.number + 1);
    tlb_enter(&tlb_first);
    for (int round = 0; go_on(round); round++) {
        unsigned draw = rnd(32);
        if (draw == 0)
            change();
        else if (draw <= 2)
            idle();
        else if (draw < 8)
            walk(rnd(PAGES));
        else if (draw < 10)
            sched_yield();
        else
            reach(rnd(PAGES));
        if (rnd(4) == 0) take_interrupt();
    }
    tlb_leave();
    __atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
    for (; LOAD(&done) < CPUS; sched_yield())
        take_interrupt(); // for tables, the idle ones are asked, too
    return NULL;
}

int main(void) {
    pthread_t threads[CPUS];
    for (int i = 0; i < CPUS; i++) cpus[i].cpu.tlb = &tlb_first;
    for (int i = 0; i < CPUS; i++) { // the first ones are at work when the others come
        CHECK(pthread_create(&threads[i], NULL, work, &cpus[i]) == 0);
        while (cpus_online() < (unsigned)i + 1) sched_yield();
    }
    for (int i = 0; i < CPUS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < CPUS; i++)
        CHECK(cpus[i].reached > 1000 && cpus[i].walked > 100 && cpus[i].moved > 10);
    CHECK(idle_served > IDLE_SERVED);
    return check_done("tlb");
}
