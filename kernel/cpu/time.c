// Time from the TSC, the same on all CPUs. The rate is shared behind a sequence number: it is set
// at first need and refined twice, by whoever comes first; the time shown so far is kept, so it
// never jumps. When the TSCs may differ or change their rate, the largest time given out is shared
// as well.
#include "kernel/cpu/time.h"

#include "kernel/cpu/clock.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/lock.h"
#include "kernel/cpu/timepage.h"
#include "kernel/kernel.h"

#define CPUID_7_EBX_TSC_ADJUST (1u << 1)
#define MSR_TSC_ADJUST         0x3b // what software added to this CPU's TSC (Intel SDM 3B 18.17.3)
#define NO_ADJUSTMENT          UINT64_MAX
// for the reference to move: 10 ms at 6 GHz, 16 s at 4 MHz
#define WAIT_TSC_MAX          (1ull << 26)
#define LEAST_READINGS_APART  3000 // in a second
#define COARSE_READINGS_APART 20000
// of the reference, that a rate right to 1/8 and a tick can tell
#define COARSE_TURNS  2
#define TURNS_COUNTED 50 // by a rate that is right to 1 %: half a turn of error
// times 2^-32: a crystal and the reference's differ by up to 244 in a million
#define STATED_DOUBT   (1u << 20)
#define MEASURED_DOUBT (1u << 16) // for good: 15 in a million
#define STATED_WRONG   128        // 1 part in so many
#define TRIES_MAX      (1u << 20) // by then whoever changes the rate was stopped for good

static volatile u32 *hpet;
static u16 pm_timer;
static struct reading pit_first;
static struct lock lock = {.rank = LOCK_CLOCK}; // for all of these
static struct reference references[REFERENCE_PIT + 1], *reference;
static struct reading origin;  // the boot CPU's
static struct reading first;   // the rate is measured from here; it may be taken anew
static u64 hz, doubt_per_tick; // 0: not known yet
static const char *stated_by;  // NULL: hz was measured

struct time_page time_page;
static u64 latest;      // largest time given out while the TSCs were not known to be the same
static u64 boot_adjust; // the boot CPU's time_adjustment()

// The boot CPU's TSC, as this CPU knows it.
u64 tsc(void) { return rdtsc() + this_cpu()->time.offset; }

static struct reading time_read_both(void) {
    struct reading now = reference_read(reference);
    now.tsc += this_cpu()->time.offset;
    now.gap += 2 * this_cpu()->time.doubt; // to either side
    return now;
}

static void time_take_reference(enum reference_source from) {
    references[from] = reference_choose(from, hpet, pm_timer);
    __atomic_store_n(&reference, &references[from], __ATOMIC_RELEASE);
    if (reference->source == REFERENCE_PIT)
        first = pit_first;
    else
        first = time_read_both();
    origin = first;
}

static u64 time_adjustment(void) {
    bool has_more = cpuid(0, 0).eax >= 7;
    if (!has_more || !(cpuid(7, 0).ebx & CPUID_7_EBX_TSC_ADJUST)) return NO_ADJUSTMENT;
    return rdmsr(MSR_TSC_ADJUST);
}

// The boot CPU takes its first reading, of the best counter there is: an HPET by its registers
// (NULL: none), a PM timer by its port (0: none), else the PIT, which the loader has read.
void time_init(volatile u32 *hpet_registers, u16 pm_timer_port, const struct reading *pit) {
    hpet = hpet_registers;
    pm_timer = pm_timer_port;
    pit_first = *pit;
    time_take_reference(REFERENCE_HPET);
    if (hpet && !reference->hpet) log_error("time: the HPET has no plausible rate: ignored");
    this_cpu()->time.first = first;
    time_page.clock.tsc = time_page.clock.refine_at = first.tsc;
    boot_adjust = time_adjustment();
    if (boot_adjust == NO_ADJUSTMENT || !clock_invariant(cpuid)) time_page.sequence = TIME_DIFFERS;
    timer_init();
}

// Every other CPU calls this once, when its local APIC is on and before it uses the rest. CPUs with
// equal adjustments have equal TSCs, since reset starts them together. The others are compared by
// readings of the same counter once its rate is known, which leaves a doubt that is larger than
// what two CPUs can see of each other.
void time_cpu_joined(void) {
    struct time_cpu *own = &this_cpu()->time;
    u64 adjust = time_adjustment();
    own->unknown = adjust == NO_ADJUSTMENT || boot_adjust == NO_ADJUSTMENT;
    if (own->unknown) {
        __atomic_fetch_or(&time_page.sequence, TIME_DIFFERS, __ATOMIC_SEQ_CST);
    } else if (adjust != boot_adjust) {
        wrmsr(MSR_TSC_ADJUST, boot_adjust);
        log("time: the TSC of CPU %u was adjusted by %ld, now by %ld as CPU 0's",
            this_cpu()->number, (s64)adjust, (s64)boot_adjust);
    }
    bool shared = reference->source == REFERENCE_PIT; // three instructions read it
    if (shared) lock_take(&lock);
    own->first = time_read_both();
    if (shared) lock_give(&lock);
    timer_init();
}

// The boot CPU calls this when no other one will ever come: then its TSC is the only one, and need
// not have the same rate for ever to be the same as all others.
void time_cpu_alone(void) {
    __atomic_fetch_and(&time_page.sequence, ~TIME_DIFFERS, __ATOMIC_SEQ_CST);
}

// Nobody reads the time while it is changed, so that the last time by the old rate is not after the
// first by the new.
static void time_set_rate(u64 rate, u64 refine_at) {
    struct clock *clock = &time_page.clock;
    __atomic_fetch_add(&time_page.sequence, TIME_CHANGES, __ATOMIC_SEQ_CST);
    u64 now = rdtsc() + this_cpu()->time.offset;
    if (hz) {
        u64 ns = clock->ns + scale(now - clock->tsc, clock->ns_per_tsc);
        __atomic_store_n(&clock->ns, ns, __ATOMIC_RELAXED);
        __atomic_store_n(&clock->tsc, now, __ATOMIC_RELAXED);
    }
    hz = rate;
    __atomic_store_n(&clock->ns_per_tsc, (NS_PER_S << 32) / rate, __ATOMIC_RELAXED);
    __atomic_store_n(&clock->refine_at, MAX(refine_at, clock->tsc), __ATOMIC_RELAXED);
    __atomic_fetch_add(&time_page.sequence, TIME_CHANGE - TIME_CHANGES, __ATOMIC_RELEASE);
}

// Refined after an eighth of a second and after two, then it is for good, unless a reading was
// disturbed: a host or a system management interrupt can stop a CPU in all of its three tries.
static void time_set_measured(const struct reading *from, const struct reading *now, u64 rate) {
    u64 elapsed = now->tsc - from->tsc;
    doubt_per_tick = mul_div(clock_doubt(reference, from, now, rate), 1ull << 32, elapsed);
    u64 next = UINT64_MAX;
    if (elapsed < rate / 8)
        next = first.tsc + rate / 8;
    else if (elapsed < 2 * rate)
        next = first.tsc + 2 * rate;
    else if (doubt_per_tick > MEASURED_DOUBT)
        next = now->tsc + rate / 8;
    time_set_rate(rate, next);
}

// Reads until the reference has gone on by so many ticks; rate as for clock_ticks(). False: it
// stands still.
static bool time_read_after(const struct reading *from, u64 ticks, u64 rate, struct reading *now) {
    u64 begin = rdtsc();
    do *now = time_read_both();
    while (clock_ticks(reference, from, now, rate) < ticks && rdtsc() - begin < WAIT_TSC_MAX);
    return clock_ticks(reference, from, now, rate) >= ticks;
}

// The first rate, over all the time since this CPU's first reading if the turns of the reference
// since then can be told, which may need a coarse rate. False when the reference stands still.
static bool time_measure(void) {
    struct reading begin = time_read_both();
    struct reading from = this_cpu()->time.first;
    struct reading now;
    u64 rate = 0;
    if (from.source != reference->source) from = begin;
    if (begin.tsc - from.tsc >= mul_div(reference->turn, TSC_HZ_SLOWEST, reference->hz)) {
        if (!time_read_after(&begin, reference->hz / COARSE_READINGS_APART, 0, &now)) return false;
        rate = clock_hz(reference, &begin, &now, 0);
        bool is_rough = begin.gap + now.gap > (now.tsc - begin.tsc) / 8;
        u64 longest = mul_div(COARSE_TURNS * reference->turn, rate, reference->hz);
        if (is_rough || now.tsc - from.tsc > longest) {
            from = begin;
            rate = 0;
        }
    }
    if (!time_read_after(&from, reference->hz / LEAST_READINGS_APART, rate, &now)) return false;
    time_set_measured(&from, &now, clock_hz(reference, &from, &now, rate));
    return true;
}

static void time_calibrate(void) {
    u64 stated = clock_stated_hz(cpuid, &stated_by);
    doubt_per_tick = STATED_DOUBT;
    if (stated) time_set_rate(stated, 0);
    while (!hz && !time_measure()) {
        if (reference->source == REFERENCE_PIT)
            unfit("no clock to measure the CPU's speed by: the PIT stands still");
        log_error("time: %s stands still: ignored", reference->name);
        time_take_reference(reference->source + 1);
    }
    const char *by = reference->name;
    if (stated) by = stated_by;
    const char *kind = "not invariant";
    if (clock_invariant(cpuid)) kind = "invariant";
    log("time: TSC %lu.%03lu MHz, by %s, %s", hz / 1000000, hz / 1000 % 1000, by, kind);
}

// A rate that was stated is checked once, as soon as the readings lie apart: Bochs shows CPUs with
// leaf 15h, but its TSC is slower. When the first reading is too long ago to count the turns since,
// it is taken anew.
static void time_refine(void) {
    struct reading now = time_read_both();
    u64 elapsed = now.tsc - first.tsc;
    u64 ticks = clock_ticks(reference, &first, &now, hz);
    bool apart = ticks >= reference->hz / LEAST_READINGS_APART;
    if (!apart && stated_by && elapsed < hz / 8) return;
    u64 rate = mul_div(elapsed, reference->hz, ticks);
    u64 tolerance =
        hz / STATED_WRONG + mul_div(clock_doubt(reference, &first, &now, hz), hz, elapsed);
    if (elapsed > mul_div(reference->turn * TURNS_COUNTED, hz, reference->hz)) {
        first = now;
        time_set_rate(hz, now.tsc + hz / 8);
    } else if (!apart || (stated_by && rate - hz + tolerance <= 2 * tolerance)) {
        if (!apart) log_error("time: %s stands still: the rate stays unchecked", reference->name);
        time_set_rate(hz, UINT64_MAX);
    } else {
        if (stated_by)
            log_error("time: %s states %lu Hz for the TSC; by %s it is %lu Hz", stated_by, hz,
                      reference->name, rate);
        stated_by = NULL;
        time_set_measured(&first, &now, rate);
    }
}

static void time_compare(struct time_cpu *own) {
    own->unknown = false;
    if (own->first.source != origin.source) return; // one of them stood still
    own->offset = clock_offset(reference, &origin, &own->first, hz, doubt_per_tick, &own->doubt);
    s64 missing = (s64)own->offset;
    if (!missing) return;
    const char *how = "behind";
    if (missing < 0) {
        how = "ahead";
        missing = -missing;
    }
    u64 us = mul_div((u64)missing, 1000000, hz);
    log("time: the TSC of CPU %u is %lu us %s: corrected", this_cpu()->number, us, how);
}

// The clock, and where the TSC stood while it was valid.
static struct clock time_read_clock(u64 *now) {
    const struct clock *clock = &time_page.clock;
    struct clock c;
    for (u32 tries = 0; tries < TRIES_MAX; tries++) {
        u32 before = __atomic_load_n(&time_page.sequence, __ATOMIC_ACQUIRE);
        c.tsc = __atomic_load_n(&clock->tsc, __ATOMIC_ACQUIRE);
        c.ns = __atomic_load_n(&clock->ns, __ATOMIC_ACQUIRE);
        c.ns_per_tsc = __atomic_load_n(&clock->ns_per_tsc, __ATOMIC_ACQUIRE);
        c.refine_at = __atomic_load_n(&clock->refine_at, __ATOMIC_ACQUIRE);
        *now = rdtsc() + this_cpu()->time.offset;
        bool is_changing = before & TIME_CHANGES;
        if (!is_changing && before == __atomic_load_n(&time_page.sequence, __ATOMIC_ACQUIRE)) break;
    }
    return c;
}

static struct clock time_ready_clock(u64 *now) {
    struct time_cpu *own = &this_cpu()->time;
    struct clock c = time_read_clock(now);
    if (!c.ns_per_tsc || own->unknown)
        lock_take(&lock);
    else if (*now < c.refine_at || !lock_try(&lock))
        return c; // while somebody refines it, the rate so far will do
    if (!hz) time_calibrate();
    if (own->unknown) time_compare(own);
    if (tsc() >= time_page.clock.refine_at) time_refine();
    lock_give(&lock);
    return time_read_clock(now);
}

// ns in a difference of time stamps.
u64 time_tsc_to_ns(u64 ticks) {
    u64 now;
    return scale(ticks, time_ready_clock(&now).ns_per_tsc);
}

// TSC ticks in so many ns.
u64 time_ns_to_tsc(u64 ns) {
    u64 now;
    return mul_div(ns, 1ull << 32, time_ready_clock(&now).ns_per_tsc);
}

// ns until there may be a better rate; UINT64_MAX: never.
u64 time_refined_in(void) {
    u64 now;
    struct clock c = time_ready_clock(&now);
    if (c.refine_at == UINT64_MAX) return UINT64_MAX;
    if (now >= c.refine_at) return NS_PER_S / 8;
    return scale(c.refine_at - now, c.ns_per_tsc) + 1;
}

// ns since the first reading. It never runs backwards, from whichever CPU one looks. The first call
// calibrates. Not for NMIs, since it may take a lock.
u64 time_now_ns(void) {
    u64 now, ns;
    if (time_page_read(&time_page, rdtsc, &ns)) return ns;
    u64 last = __atomic_load_n(&latest, __ATOMIC_ACQUIRE);
    struct clock c = time_ready_clock(&now);
    ns = c.ns;
    s64 since = (s64)(now - c.tsc); // less than 0 where another CPU's TSC set it
    if (since > 0) ns += scale((u64)since, c.ns_per_tsc);
    if (!(__atomic_load_n(&time_page.sequence, __ATOMIC_ACQUIRE) & TIME_DIFFERS)) return ns;
    while (ns > last)
        if (__atomic_compare_exchange_n(&latest, &last, ns, true, __ATOMIC_RELEASE,
                                        __ATOMIC_ACQUIRE))
            return ns;
    return last;
}
