// The one-shot timer of each CPU: the TSC deadline, else the local APIC's timer, else, on a machine
// that has no APIC, channel 0 of the PIT.
//
// The APIC timer's rate is the same on all CPUs. It is measured by the way: each time the timer is
// set, the run before is still on, and how far it has come is compared with the TSC. The first run
// begins when its CPU does. The longest run so far gives the rate.
#include "kernel/cpu/apic.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/time.h"
#include "kernel/kernel.h"

#define CPUID_1_ECX_TSC_DEADLINE (1u << 24)
#define MSR_TSC_DEADLINE         0x6e0
#define MSR_INTERRUPT_PENDING    0xc0010055 // of AMD's families 0Fh, from revision F on, to 11h
#define C1E_ON_HALT              (3ull << 27)
#define NS_APART                 300000       // a run at least, to measure by
#define WAIT_TSC_MAX             (1ull << 26) // for such a run
#define NS_LONGEST               (1ull << 59) // 18 years: more could wrap

#define PIT_CHANNEL0   0x40
#define PIT_ONE_SHOT0  0x30 // channel 0, both bytes, mode 0: the line rises when the count is done
#define PIT_LINE       0
#define PIT_LONGEST_NS 54900000

static bool has_deadline;
static u64 longest, rate; // TSC ticks of a run; in that run, timer ticks per TSC tick, times 2^32

// The TSC is read before a start and after a look, so that a timer is at worst too early.
static void timer_start(u32 count) {
    struct time_cpu *own = &this_cpu()->time;
    own->timer_tsc = rdtsc();
    own->timer_count = count;
    apic_timer_start(count);
}

// These go into C1E when all cores are in HLT, and the APIC's timer stands still (erratum 400).
static bool timer_sleeps_too_deep(const struct cpuid *about) {
    u32 family = about->eax >> 8 & 0xf;
    u32 model = about->eax >> 16 & 0xfff;        // with the rest of the family
    bool is_amd = cpuid(0, 0).ebx == 0x68747541; // "Auth"
    if (about->ecx & CPUID_1_ECX_HYPERVISOR) return false;
    return is_amd && family == 0xf && model >= 4 && model < 0x300;
}

void timer_init(void) {
    struct cpuid about = cpuid(1, 0);
    if (apic_mode() == APIC_NONE) return;
    if (timer_sleeps_too_deep(&about))
        wrmsr(MSR_INTERRUPT_PENDING, rdmsr(MSR_INTERRUPT_PENDING) & ~C1E_ON_HALT);
    has_deadline = about.ecx & CPUID_1_ECX_TSC_DEADLINE;
    apic_timer_init(has_deadline);
    if (!has_deadline) timer_start(UINT32_MAX);
}

// Looks how far the run has come that is on. One that is over says nothing about the rate.
static void timer_learn(void) {
    const struct time_cpu *own = &this_cpu()->time;
    u32 left = apic_timer_left();
    u64 run = rdtsc() - own->timer_tsc;
    if (!left || run < time_ns_to_tsc(NS_APART) ||
        run <= __atomic_load_n(&longest, __ATOMIC_RELAXED))
        return;
    __atomic_store_n(&rate, ((u64)(own->timer_count - left) << 32) / run, __ATOMIC_RELAXED);
    __atomic_store_n(&longest, run, __ATOMIC_RELEASE); // who sees it sees a rate
}

static void apic_timer_set(u64 ticks) {
    u64 begin = rdtsc();
    for (timer_learn();
         !__atomic_load_n(&longest, __ATOMIC_ACQUIRE) && rdtsc() - begin < WAIT_TSC_MAX;
         timer_learn())
        if (!apic_timer_left()) timer_start(UINT32_MAX);
    u64 factor = __atomic_load_n(&rate, __ATOMIC_RELAXED);
    if (!factor) unfit("the timer of the local APIC stands still");
    u64 count = mul_div(ticks, factor, 1ull << 32);
    timer_start((u32)MIN(count, UINT32_MAX - 1) + 1);
}

static void pit_set(u64 ns) {
    u64 count = 0xffff; // 0 would be 65536
    if (ns < PIT_LONGEST_NS) count = ns * PIT_HZ / NS_PER_S + 2;
    outb(PIT_COMMAND, PIT_ONE_SHOT0);
    outb(PIT_CHANNEL0, (u8)count);
    outb(PIT_CHANNEL0, (u8)(count >> 8));
    interrupt_set(PIT_LINE, NULL);
}

// One interrupt on this CPU, which does nothing but wake: at time_now_ns() deadline_ns or soon
// after it, at once when that is over. It comes before the deadline when that is far away, or when
// there will be a better rate, since by the first one an hour could end seconds late: whoever
// sleeps longer looks at the time and calls again.
void timer_set(u64 deadline_ns) {
    u64 now = time_now_ns();
    u64 ns = 0;
    if (deadline_ns > now) ns = deadline_ns - now;
    u64 refined = time_refined_in();
    ns = MIN(ns, refined);
    ns = MIN(ns, NS_LONGEST);
    if (apic_mode() == APIC_NONE)
        pit_set(ns);
    else if (has_deadline)
        wrmsr(MSR_TSC_DEADLINE, rdtsc() + time_ns_to_tsc(ns) + 1);
    else
        apic_timer_set(time_ns_to_tsc(ns));
}
