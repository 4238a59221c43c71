// flags: -O2
// The TLB shootdown, every order of steps in which CPUs come in between each other at most three
// times: each CPU is a coroutine that runs the real code and can be stopped before every access to
// what CPUs share. While one waits the next one goes on. A schedule says where who comes in; what a
// run shows decides which schedules are tried next.
#include <stdlib.h>
#include <string.h>

#include "test/check.h"
#define log kernel_log // the C library has one of its own
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/x86.h"

#define CPUS        3
#define ROOTS       2
#define PAGES       2 // of each; what is there is a number that is never used again
#define OPERATIONS  8
#define PREEMPTIONS 3
#define STACK       16384
#define STEPS_MAX   2000

enum operation {
    DONE,
    JOIN,
    ENTER,
    ENTER_OTHER, // root: what follows is there
    LEAVE,
    REACH_0,
    REACH_1,
    WALK,
    SERVE,
    CHANGE_0,
    CHANGE_1,
    CHANGE_BOTH,
    CHANGE_TABLE
};

struct test_cpu {
    struct cpu cpu;
    u64 tlb[PAGES], table, root, stack_pointer;
    bool asked, done;
};
static struct test_cpu *cpus;
static struct test_cpu *me;
static u8 stacks[CPUS][STACK] __attribute__((aligned(64)));
static const enum operation (*script)[OPERATIONS];
static unsigned online, first_online;
static u64 entries[ROOTS][PAGES], tables[ROOTS], latest, main_stack;
static struct tlb other = {.root = {1}};
static bool gone[1000]; // given back
static int steps, preemptions;
struct preemption {
    int step, cpu;
};
static struct preemption schedule[PREEMPTIONS];
static bool in_vain; // the last preemption is none: other schedules show what comes after it
static const char *wrong;
static u64 runs;

// Saves the callee-saved registers on the stack, *save = stack pointer; goes on at the other one.
void switch_stack(u64 *save, u64 to);
__asm__(
    "switch_stack:\n\tpush %rbp\n\tpush %rbx\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
    "mov %rsp, (%rdi)\n\tmov %rsi, %rsp\n\t"
    "pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbx\n\tpop %rbp\n\tret");

static void go_to(struct test_cpu *cpu) {
    struct test_cpu *from = me;
    me = cpu;
    if (from != cpu) switch_stack(&from->stack_pointer, cpu->stack_pointer);
}

// The next CPU goes on, also one that has only to serve; when all have, the run is over.
static void next(void) {
    bool over = true;
    for (int i = 0; i < CPUS; i++) over &= cpus[i].done;
    if (over || steps > STEPS_MAX) switch_stack(&me->stack_pointer, main_stack);
    go_to(me == cpus + CPUS - 1 ? cpus : me + 1);
}

static void step(void) {
    if (++steps > STEPS_MAX) wrong = "it comes to an end", next();
    for (int i = 0; i < preemptions; i++) {
        if (schedule[i].step != steps) continue;
        in_vain |= me == &cpus[schedule[i].cpu] || me->done;
        go_to(&cpus[schedule[i].cpu]);
    }
}

static void forget_page(u64 address) { me->tlb[address / PAGE_SIZE] = me->table = 0; }
static void walk_early(void) { me->table = tables[me->root]; }
#include "test/tlb_cpu.h"
void ipi_send(unsigned cpu) { cpus[cpu].asked = true; }
void cpu_serve(void) {
    tlb_serve();
    next();
}

static void reach(u64 *remembered, u64 *entry) {
    if (!*remembered) *remembered = LOAD(entry);
    STEP();
    if (*remembered && gone[*remembered]) wrong = "nobody reaches what was given back";
}

static void change(u64 *list, u64 count, u64 start, bool is_table) {
    u64 old[PAGES];
    for (u64 i = 0; i < count; i++) {
        old[i] = list[i];
        STORE(&list[i], 0);
    }
    tlb_flush(me->root ? &other : &tlb_first, start, start + count * PAGE_SIZE, is_table);
    for (u64 i = 0; i < count; i++) gone[old[i]] = true;
    for (int i = 0; i < CPUS; i++)
        if (gone[cpus[i].table]) wrong = "nobody remembers a table that was given back";
    for (u64 i = 0; i < count; i++) STORE(&list[i], ++latest);
}

static void operate(enum operation operation) {
    switch (operation) {
    case DONE: break;
    case JOIN: STORE(&online, me->cpu.number + 1); break;
    case ENTER: tlb_enter(&tlb_first); break;
    case ENTER_OTHER: tlb_enter(&other); break;
    case LEAVE: tlb_leave(); break;
    case REACH_0: reach(&me->tlb[0], &entries[me->root][0]); break;
    case REACH_1: reach(&me->tlb[1], &entries[me->root][1]); break;
    case WALK: reach(&me->table, &tables[me->root]); break;
    case CHANGE_0: change(entries[me->root], 1, 0, false); break;
    case CHANGE_1: change(entries[me->root] + 1, 1, PAGE_SIZE, false); break;
    case CHANGE_BOTH: change(entries[me->root], 2, 0, false); break;
    case CHANGE_TABLE: change(&tables[me->root], 1, 0, true); break;
    case SERVE:
        if (me->asked) me->asked = false, tlb_serve();
    }
}

static void body(void) {
    for (const enum operation *at = script[me - cpus]; *at; at++) operate(*at);
    me->done = true;
    for (;;) {
        operate(SERVE);
        next();
    }
}

static void run(void) {
    memset(gone, 0, sizeof gone);
    tlb_first = (struct tlb){0};
    other = (struct tlb){.root = {1}};
    online = first_online;
    steps = in_vain = 0;
    latest = 0;
    for (int i = 0; i < ROOTS; i++) {
        for (int page = 0; page < PAGES; page++) entries[i][page] = ++latest;
        tables[i] = ++latest;
    }
    for (unsigned i = 0; i < CPUS; i++) {
        u64 *top = (u64 *)(stacks[i] + STACK) - 2; // as after a call: return address at 16n + 8
        *top = (u64)body;
        cpus[i].stack_pointer = (u64)(top - 6);
        cpus[i].cpu.number = i;
        cpus[i].cpu.tlb_seen = cpus[i].cpu.tlb_used = cpus[i].asked = cpus[i].done = false;
        cpus[i].cpu.tlb = &tlb_first;
        cpus[i].tlb[0] = cpus[i].tlb[1] = cpus[i].table = cpus[i].root = 0;
    }
    me = cpus;
    switch_stack(&main_stack, cpus->stack_pointer);
    runs++;
}

// All schedules that begin with this one and have further preemptions after its last.
static void explore(int from) {
    run();
    if (wrong && !checks_failed) {
        CHECK(!"every order is right");
        fprintf(stderr, "%s; who comes in:", wrong);
        for (int i = 0; i < preemptions; i++)
            fprintf(stderr, " %d at %d", schedule[i].cpu, schedule[i].step);
        fprintf(stderr, "\n");
    }
    int end = steps;
    if (preemptions == PREEMPTIONS || checks_failed || in_vain) return;
    preemptions++;
    for (int at = from; at <= end; at++)
        for (int cpu = 0; cpu < CPUS; cpu++) {
            schedule[preemptions - 1].step = at;
            schedule[preemptions - 1].cpu = cpu;
            explore(at + 1);
        }
    preemptions--;
}

static void scenario(const char *name, unsigned count,
                     const enum operation (*operations)[OPERATIONS]) {
    u64 before = runs;
    script = operations;
    first_online = count;
    explore(1);
    printf("%s: %lu runs\n", name, runs - before);
}

int main(void) {
    cpus = aligned_alloc(_Alignof(struct test_cpu), CPUS * sizeof *cpus);
#define SCENARIO(name, online, ...)                                                                \
    scenario(name, online, (const enum operation[CPUS][OPERATIONS]){__VA_ARGS__})
    SCENARIO("two pages, one after the other", 3, {ENTER, CHANGE_0, CHANGE_BOTH},
             {ENTER, REACH_0, REACH_1, SERVE, REACH_0}, {ENTER, REACH_1, SERVE, REACH_1});
    SCENARIO("one goes idle and comes back", 2, {ENTER, CHANGE_0, CHANGE_BOTH},
             {ENTER, REACH_0, LEAVE, ENTER, REACH_0, REACH_1, SERVE});
    SCENARIO("an idle one is asked late", 2, {ENTER, CHANGE_0, CHANGE_BOTH},
             {ENTER, REACH_1, LEAVE, SERVE, ENTER, REACH_1, REACH_0});
    SCENARIO("asked late, and again", 2, {ENTER, REACH_0, REACH_1, LEAVE, SERVE, ENTER, REACH_1},
             {ENTER, CHANGE_1, CHANGE_0});
    SCENARIO("a table goes", 3, {ENTER, CHANGE_TABLE, CHANGE_0},
             {ENTER, WALK, LEAVE, WALK, SERVE, ENTER, REACH_0});
    SCENARIO("a table goes twice", 2, {ENTER, CHANGE_TABLE, CHANGE_TABLE},
             {WALK, SERVE, WALK, ENTER, REACH_0, SERVE});
    SCENARIO("one joins", 1, {ENTER, CHANGE_0, CHANGE_BOTH},
             {JOIN, ENTER, REACH_0, REACH_1, SERVE, REACH_1});
    SCENARIO("two take turns", 3, {ENTER, REACH_0, CHANGE_0, REACH_0}, {LEAVE},
             {ENTER, REACH_0, SERVE, LEAVE, ENTER, REACH_0});
    SCENARIO("one moves to another root", 2, {ENTER, CHANGE_0, CHANGE_BOTH},
             {ENTER, REACH_0, LEAVE, ENTER_OTHER, REACH_0, REACH_1, LEAVE, ENTER});
    SCENARIO("a table goes from where one moves away", 2, {ENTER, CHANGE_TABLE, CHANGE_0},
             {ENTER, WALK, LEAVE, ENTER_OTHER, WALK, SERVE});
    SCENARIO("a table goes from where one moves to", 2, {ENTER_OTHER, CHANGE_TABLE, CHANGE_TABLE},
             {ENTER, CHANGE_0, CHANGE_1, LEAVE, ENTER_OTHER, WALK, SERVE});
    CHECK(runs > 100000);
    return check_done("tlb_orders");
}
