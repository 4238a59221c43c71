// How the other CPUs start. Nobody waits for one: the boot CPU wakes them all and goes on; each
// takes the next number, puts itself in order and checks in. CPUs count as online in the order of
// their numbers, so that a number below cpus_online() is always that of a CPU that answers.
#include "kernel/cpu/cpus.h"

#include "kernel/cpu/apic.h"
#include "kernel/cpu/time.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"

#define SECOND_SIPI_NS 10000000   // after the first; by the manual's own sequence 200 us are enough
#define DEADLINE_NS    1000000000 // after the second SIPI, or whoever came last

// For ap_start.asm.
paddr cpus_root;   // the kernel's page tables
u32 cpus_next = 1; // number of the next one to arrive
u32 cpus_made = 1; // slots there are

// What ap_start.asm has at ap_values, in the copy that runs.
struct ap_values {
    u64 entry;
    u32 root, efer;
    u32 jump; // this and gdt are distances from the page, and get its address added
    u16 jump_cs, gdt_limit;
    u32 gdt;
} __attribute__((packed));

extern const u8 ap_start[], ap_values[];
void ap_enter(void);
void cpu_arrive(unsigned number) __attribute__((noreturn));

static unsigned online = 1;
static bool arrived[CPUS_MAX]; // by number
static void (*join)(void);

static const u32 *woken; // APIC ids
static unsigned woken_count, came_count;
static bool came[CPUS_MAX], said; // in the order of woken; how many came
static unsigned adopted;          // CPUs whose MTRRs were others
static u64 woken_tsc;
static paddr woken_page;
static struct watch watch = {.over = true};

// How many CPUs have arrived: their numbers are 0 to this - 1.
unsigned cpus_online(void) { return __atomic_load_n(&online, __ATOMIC_SEQ_CST); }

// How many have arrived or may still come.
unsigned cpus_expected(void) {
    if (__atomic_load_n(&watch.over, __ATOMIC_RELAXED)) return cpus_online();
    return woken_count + 1;
}

// Does what other CPUs asked of this one and what it can do anywhere: TLB flushes, and stopping.
// For whoever waits with interrupts off.
void cpu_serve(void) {
    tlb_serve();
    stop_serve();
}

// Says what every other CPU does, now or when it arrives, on its own stack after cpu_init(). Until
// then, and when it returns, a CPU sleeps.
void cpus_set_join(void (*run)(void)) {
    __atomic_store_n(&join, run, __ATOMIC_SEQ_CST);
    unsigned count = cpus_online();
    for (unsigned i = 1; i < count; i++) ipi_send(i);
}

// Starts CPUs that are waiting for a SIPI, and waits for none. Slots 1 to count are made; any of
// the CPUs with these APIC ids takes any of them. ids must stay.
void cpus_wake(const u32 *ids, unsigned count, const struct cpus_way *way) {
    u64 code = (u64)ap_values - (u64)ap_start;
    struct ap_values *values = (struct ap_values *)(way->page + code);
    memcpy(way->page, ap_start, code + sizeof *values);
    values->entry = (u64)ap_enter;
    values->root = (u32)way->first_root.at;
    values->efer = rdmsr(MSR_EFER) & (EFER_LME | EFER_NXE);
    values->jump += (u32)way->start.at;
    values->gdt += (u32)way->start.at;
    woken_page = way->start;
    cpus_root = way->root;
    cpus_made = count + 1;
    woken = ids;
    woken_count = count;
    mtrrs_keep();
    woken_tsc = rdtsc();
    watch.over = count == 0;
    for (unsigned i = 0; i < count; i++) apic_send_sipi(ids[i], woken_page);
}

// Marks number as arrived, and counts everybody who is now in turn. Whoever was in the way wakes
// those behind.
static void cpus_check_in(unsigned number) {
    __atomic_store_n(&arrived[number], true, __ATOMIC_SEQ_CST);
    for (unsigned n = cpus_online(); n < CPUS_MAX && __atomic_load_n(&arrived[n], __ATOMIC_SEQ_CST);
         n++) {
        unsigned expected = n;
        if (!__atomic_compare_exchange_n(&online, &expected, n + 1, false, __ATOMIC_SEQ_CST,
                                         __ATOMIC_SEQ_CST))
            n = expected - 1;
        else if (n != number)
            ipi_send(n);
    }
}

// Once: when all have come, or the deadline is over. Ids of missing CPUs that follow each other are
// one line.
static void cpus_say_how_many(void) {
    if (__atomic_exchange_n(&said, true, __ATOMIC_SEQ_CST)) return;
    const char *how = "";
    if (apic_mode() == APIC_MSRS) how = ", by x2APIC";
    log("cpus: %u of %u run%s", came_count + 1, woken_count + 1, how);
    if (adopted)
        log("cpus: %u had memory type registers unlike the boot CPU's; they have its now", adopted);
    for (unsigned i = 0, end; i < woken_count; i = end) {
        end = i + 1;
        if (came[i]) continue;
        while (end < woken_count && !came[end] && woken[end] == woken[end - 1] + 1) end++;
        if (end == i + 1)
            log_error("cpus: the one with APIC id %u does not start", woken[i]);
        else
            log_error("cpus: those with APIC ids %u to %u do not start", woken[i], woken[end - 1]);
    }
}

// False when nobody woke it: one whose local APIC is not in the boot CPU's mode does not know its
// own id.
static bool cpus_note_arrival(u32 id) {
    unsigned i = 0;
    while (i < woken_count && woken[i] != id) i++;
    if (i == woken_count) return false;
    __atomic_store_n(&came[i], true, __ATOMIC_RELAXED);
    unsigned count = __atomic_add_fetch(&came_count, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&said, __ATOMIC_SEQ_CST))
        log("cpus: the one with APIC id %u came late", id);
    else if (count == woken_count)
        cpus_say_how_many();
    return true;
}

// The first C code of another CPU, on its slot's stack, which is all of the slot that has known
// contents.
void cpu_arrive(unsigned number) {
    struct cpu *cpu = cpu_number(number);
    memset(cpu, 0, offsetof(struct cpu, ist));
    cpu_init(number);
    apic_init(false);
    cpu->apic_id = apic_id();
    time_cpu_joined();
    if (mtrrs_adopt()) __atomic_fetch_add(&adopted, 1, __ATOMIC_RELAXED);
    if (cpus_note_arrival(cpu->apic_id))
        cpus_check_in(number);
    else
        log_error("cpus: one came that says its APIC id is %u, which nobody woke: it stays asleep",
                  cpu->apic_id);
    for (;;) {
        void (*run)(void) = __atomic_load_n(&join, __ATOMIC_SEQ_CST);
        bool counts = cpus_online() > number;
        stop_serve(); // whoever ends the machine tells those that counted before
        if (run && counts) run();
        cpu_idle();
    }
}

// How the watch goes on when so many of those that are awaited have come by now (ns). True: second
// SIPIs are due. Pure.
bool watch_step(struct watch *w, unsigned awaited, unsigned came_now, u64 now) {
    bool all_came = came_now >= awaited;
    bool is_due = now >= w->next;
    bool some_came = came_now != w->came; // since the last look
    bool send = !w->again && !all_came && is_due;
    w->over = all_came || (w->again && !some_came && is_due);
    if (send || (w->again && some_came)) w->next = now + DEADLINE_NS;
    w->again |= send;
    w->came = came_now;
    return send;
}

// Looks after CPUs that have not arrived: sends the second SIPI, and says which are missing when
// the deadline has passed. CPU 0 calls it from time to time; it returns when it wants to be called
// again (time_now_ns()), UINT64_MAX for never.
u64 cpus_watch(void) {
    if (watch.over) return UINT64_MAX;
    u64 now = time_now_ns();
    if (!watch.next) watch.next = now - time_tsc_to_ns(rdtsc() - woken_tsc) + SECOND_SIPI_NS;
    bool send =
        watch_step(&watch, woken_count, __atomic_load_n(&came_count, __ATOMIC_RELAXED), now);
    for (unsigned i = 0; send && i < woken_count; i++)
        if (!__atomic_load_n(&came[i], __ATOMIC_RELAXED)) apic_send_sipi(woken[i], woken_page);
    if (!watch.over) return watch.next;
    cpus_say_how_many();
    return UINT64_MAX;
}
