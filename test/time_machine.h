// A simulated machine under kernel/cpu/{clock,reference,time,timer}.c: CPUs with TSCs of one rate,
// an HPET, a PM timer and a PIT that wrap and are read with delays, APIC timers, CPUID. Threads may
// be CPUs.
#pragma once

#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

// The real instructions make way for the simulated ones below.
#define inl         real_inl
#define inb         real_inb
#define outb        real_outb
#define rdtsc       real_rdtsc
#define rdmsr       real_rdmsr
#define wrmsr       real_wrmsr
#define cpuid(a, b) real_cpuid(a, b)
#define this_cpu    real_this_cpu
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/x86.h"
#undef inl
#undef inb
#undef outb
#undef rdtsc
#undef rdmsr
#undef wrmsr
#undef cpuid
#undef this_cpu
#define log   vmos_log // the C library has others
#define clock vmos_clock
#include "kernel/cpu/apic.h"
#include "kernel/cpu/lock.h"
#include "kernel/cpu/time.h"
#include "test/check.h"

#define CPUS 4
#define PS   1000000000000ull // in a second

#define NEEDED(condition) ((condition) ? (void)0 : abort()) // CHECK counts, which threads must not

static struct sim_cpu {
    struct cpu cpu;
    u64 tsc;            // at time 0
    u64 adjust;         // IA32_TSC_ADJUST
    u64 started, count; // the APIC timer, ps
    u64 deadline;       // IA32_TSC_DEADLINE
} cpus[CPUS];
static __thread struct sim_cpu *here = cpus;
static __thread u32 seed = 1;

static u64 now_ps;       // since the machine was switched on
static u64 tsc_hz;       // truth
static u64 apic_hz;      // of the timer
static u64 slowest_read; // ps
static u64 yields;       // mask; 0: never
static bool hpet_stands, pm_stands, pit_stands, has_apic;
static u32 garbage;
static u32 hpet_registers[256], hpet_femto;
static struct leaf_is {
    u32 leaf;
    struct cpuid is;
} leaves[8]; // the others are zeroes
static size_t leaf_count;

static u64 advance(u64 ps) { return __atomic_add_fetch(&now_ps, ps, __ATOMIC_SEQ_CST); }
__attribute__((unused)) static void sleep_s(double seconds) { advance((u64)(seconds * 1e12)); }
static u64 count_at(u64 ps, u64 hz_of) { return (u64)((unsigned __int128)ps * hz_of / PS); }
static u64 delay(void) {
    return 100000 + slowest_read * ((seed = seed * 1103515245 + 12345) >> 16 & 1023) / 1024;
}

static struct cpu *this_cpu(void) { return &here->cpu; }
static u64 tsc_of(struct sim_cpu *cpu, u64 ps) {
    return cpu->tsc + cpu->adjust + count_at(ps, tsc_hz);
}
// A thread stops where it hurts: between the reading of a TSC and its use.
static u64 rdtsc(void) {
    if (yields && !(delay() >> 3 & yields)) sched_yield();
    u64 ps = advance(hpet_femto ? delay() : 10000);
    if (hpet_femto && !hpet_stands && hpet_registers[4] & 1) // mid-way of a read
        hpet_registers[60] = (u32)((unsigned __int128)(ps + 50000) * 1000 / hpet_femto);
    return tsc_of(here, ps);
}

static u32 inl(u16 port) {
    NEEDED(port == 0x608);
    u64 ps = advance(delay() / 2);
    advance(delay() / 2);
    return (pm_stands ? 1234 : (u32)count_at(ps, 3579545) & 0xffffff) |
           garbage; // the upper bits mean nothing
}

static u16 latched;
static bool high_next;
static u32 pit_one_shots;
static void outb(u16 port, u8 value) {
    NEEDED(port == 0x61 || port == 0x43 || port == 0x40 || (port == 0x42 && value == 0));
    pit_one_shots += port == 0x43 && value == 0x30;
    if (port != 0x43 || value != 0x80) return;
    latched = pit_stands ? 77 : (u16) - (u16)count_at(advance(delay()), 1193182);
    high_next = false;
}

static u8 inb(u16 port) {
    NEEDED(port == 0x61 || port == 0x42);
    high_next = !high_next;
    return (u8)(high_next ? latched : latched >> 8);
}

static u64 rdmsr(u32 msr) {
    NEEDED(msr == 0x3b);
    return here->adjust;
}

static void wrmsr(u32 msr, u64 value) {
    NEEDED(msr == 0x3b || msr == 0x6e0);
    *(msr == 0x3b ? &here->adjust : &here->deadline) = value;
}

static struct cpuid cpuid(u32 leaf, u32 subleaf) {
    (void)subleaf;
    for (size_t i = 0; i < leaf_count; i++)
        if (leaves[i].leaf == leaf) return leaves[i].is;
    return (struct cpuid){0};
}

enum apic_mode apic_mode(void) { return has_apic ? APIC_MEMORY : APIC_NONE; }
void apic_timer_init(bool tsc_deadline) { NEEDED(tsc_deadline == !!(cpuid(1, 0).ecx & 1 << 24)); }
void apic_timer_start(u32 count) {
    here->count = count;
    here->started = advance(100000);
}
u32 apic_timer_left(void) {
    u64 gone = count_at(advance(100000) - here->started, apic_hz);
    return gone < here->count ? (u32)(here->count - gone) : 0;
}

bool lock_try(struct lock *lock) {
    return !__atomic_exchange_n(&lock->taken, true, __ATOMIC_ACQUIRE);
}
void lock_take(struct lock *lock) {
    while (!lock_try(lock)) {}
}
void interrupt_set(unsigned line, void (*handler)(void)) { NEEDED(line == 0 && !handler); }

static int complaints, lines;
static char said[200];
static struct lock saying;
#define SAY(count)                                                                                 \
    lock_take(&saying);                                                                            \
    va_list args;                                                                                  \
    va_start(args, fmt);                                                                           \
    vsnprintf(said, sizeof said, fmt, args);                                                       \
    va_end(args);                                                                                  \
    count++;                                                                                       \
    lock_give(&saying)
void log(const char *fmt, ...) { SAY(lines); }
void log_error(const char *fmt, ...) { SAY(complaints); }
void unfit(const char *fmt, ...) {
    SAY(complaints);
    fprintf(stderr, "unfit: %s\n", said);
    exit(1);
}

#include "kernel/cpu/clock.c"
#include "kernel/cpu/reference.c"
#include "kernel/cpu/time.c"
#include "kernel/cpu/timer.c"

// A machine that has run for some seconds, without HPET or PM timer, until somebody sets one.
static void switch_on(u64 rate_hz, double uptime) {
    for (int i = 0; i < CPUS; i++) {
        memset(&cpus[i], 0, sizeof cpus[i]);
        cpus[i].cpu.number = (unsigned)i;
        cpus[i].tsc = 0x123456789;
    }
    here = cpus;
    time_page = (struct time_page){0};
    hz = latest = longest = rate = doubt_per_tick = 0;
    stated_by = NULL;
    leaf_count = 0;
    memset(hpet_registers, 0, sizeof hpet_registers);
    hpet_femto = 0;
    hpet_stands = pm_stands = pit_stands = has_apic = false;
    tsc_hz = rate_hz;
    apic_hz = 62500000;
    now_ps = (u64)(uptime * 1e12);
    garbage = (u32)rand() << 24;
    said[0] = 0;
    complaints = lines = 0;
}

__attribute__((unused)) static void set_hpet(u32 femto) {
    hpet_femto = femto;
    hpet_registers[1] = femto;
}

static void set_leaf(u32 leaf, u32 eax, u32 ebx, u32 ecx, u32 edx) {
    leaves[leaf_count++] = (struct leaf_is){leaf, {eax, ebx, ecx, edx}};
}

// Begins with what the loader reads.
static void begin_time(enum reference_source best) {
    struct reading pit = pit_start();
    time_init(best == REFERENCE_HPET ? hpet_registers : NULL,
              best <= REFERENCE_PM_TIMER ? 0x608 : 0, &pit);
}

static double error_of(u64 measured) {
    return measured > tsc_hz ? (double)measured / tsc_hz - 1 : 1 - (double)measured / tsc_hz;
}
