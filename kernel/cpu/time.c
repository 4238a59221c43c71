// Time from the TSC. Its rate is measured against a reference counter of known rate (ACPI PM timer, else PIT channel
// 2) by two readings that lie apart anyway: the first is taken by time_init(), the second when time is first asked for,
// with a wait only when that is less than half a millisecond later. Later readings refine the rate; the time shown so
// far is kept, so it never jumps.
#include "kernel/cpu/time.h"
#include "kernel/cpu/pit.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"

#define PM_TIMER_HZ    3579545 // ACPI 6.5, 4.8.3.3
#define NS_PER_S       1000000000ull
#define SLOWEST_TSC_HZ 16000000     // slower than any CPU with long mode, emulated ones included
#define WAIT_TSC_MAX   (1ull << 26) // for the reference to move: 10 ms at 6 GHz, 4 s at 16 MHz
#define LONGEST_S      60           // keeps rate() within 64 bits
#define TURNS_COUNTED  50           // of the reference, by a rate that is right to 1 %: half a turn of error

struct reading {
    u64 tsc;
    u32 reference;
};

static u16 pm_timer;       // port; 0: the PIT is the reference
static u64 reference_size; // it counts modulo this
static u64 reference_hz;

static struct reading first;
static u64 hz;                // 0: not measured yet
static u64 ns_per_tsc;        // times 2^32
static u64 base_tsc, base_ns; // time = base_ns + (tsc - base_tsc) * ns_per_tsc
static u64 refine_at;         // TSC of the next refinement
static u64 latest;            // largest time given out

u64 tsc(void) { return rdtsc(); }

// For elapsed up to a minute this cannot overflow: 60 s * 10 GHz * 3.6 MHz < 2^62.
static u64 rate(u64 elapsed, u64 distance) { return elapsed * reference_hz / distance; }

static u64 scale(u64 ticks, u64 factor) { return (u64)((unsigned __int128)ticks * factor >> 32); }

// Reference ticks from before to now, which is elapsed TSC ticks later: the difference modulo its size, plus the number
// of whole turns that brings it nearest to what the rate so far says.
static u64 distance(u32 before, u32 now, u64 elapsed) {
    u64 part = (now - before) & (reference_size - 1);
    u64 expected = elapsed * reference_hz / hz;
    if (expected < part) return part;
    return part + (expected - part + reference_size / 2) / reference_size * reference_size;
}

// The fastest of three: an emulator can stop for milliseconds between two instructions.
static struct reading read_both(void) {
    struct reading best = {0};
    u64 best_gap = UINT64_MAX;
    for (int i = 0; i < 3; i++) {
        u64 before = rdtsc();
        u32 reference = pm_timer ? inl(pm_timer) : -(u32)pit_counter_read(); // which counts down
        u64 gap = rdtsc() - before;
        if (gap >= best_gap) continue;
        best_gap = gap;
        best = (struct reading){before + gap / 2, reference};
    }
    return best;
}

// The rate from a reading less than one turn ago to now, or to half a millisecond after it when that is not past yet.
// 0 when the reference stands still.
static u64 measure_from(struct reading from) {
    u64 begin = rdtsc();
    for (;;) {
        struct reading now = read_both();
        u64 moved = (now.reference - from.reference) & (reference_size - 1);
        if (moved >= reference_hz / 2000) return rate(now.tsc - from.tsc, moved);
        if (now.tsc - begin > WAIT_TSC_MAX) return 0;
    }
}

static void take_reference(u16 port, bool is_32_bit) {
    pm_timer = port;
    reference_hz = port ? PM_TIMER_HZ : PIT_HZ;
    reference_size = !port ? 1ull << 16 : is_32_bit ? 1ull << 32 : 1ull << 24;
    if (!port) pit_counter_start();
    first = read_both();
}

void time_init(u16 pm_timer_port, bool pm_timer_32_bit) {
    take_reference(pm_timer_port, pm_timer_32_bit);
    base_tsc = first.tsc;
}

static void set_rate(u64 new_hz, u64 now) {
    if (hz) { // what was shown so far stays
        base_ns += scale(now - base_tsc, ns_per_tsc);
        base_tsc = now;
    }
    hz = new_hz;
    ns_per_tsc = (NS_PER_S << 32) / hz;
}

// The rate over the whole time since the first reading; done for good when that is two seconds. When it is too long ago
// to count the turns of the reference, the measurement starts anew.
static void refine(void) {
    struct reading now = read_both();
    u64 elapsed = now.tsc - first.tsc, turns = reference_size * TURNS_COUNTED / reference_hz;
    if (elapsed > (turns < LONGEST_S ? turns : LONGEST_S) * hz) {
        first = now;
        refine_at = now.tsc + hz / 8;
        return;
    }
    set_rate(rate(elapsed, distance(first.reference, now.reference, elapsed)), now.tsc);
    refine_at = elapsed < hz / 8 ? first.tsc + hz / 8 : elapsed < 2 * hz ? first.tsc + 2 * hz : UINT64_MAX;
}

// The first reading serves when the reference cannot have turned round since, else a new one half a millisecond ago.
static u64 first_rate(void) {
    u64 unambiguous = reference_size * SLOWEST_TSC_HZ / reference_hz;
    return measure_from(rdtsc() - first.tsc < unambiguous ? first : read_both());
}

static void calibrate(void) {
    u64 measured = first_rate();
    if (!measured && pm_timer) {
        log_error("time: the ACPI PM timer at port %#x stands still: ignored", pm_timer);
        take_reference(0, false);
        measured = first_rate();
    }
    if (!measured) unfit("no clock to measure the CPU's speed by: the PIT stands still");
    set_rate(measured, rdtsc());
    refine();
}

u64 time_tsc_hz(void) {
    if (!hz) calibrate();
    return hz;
}

u64 time_tsc_to_ns(u64 ticks) {
    if (!hz) calibrate();
    return scale(ticks, ns_per_tsc);
}

u64 time_now_ns(void) {
    if (!hz) calibrate();
    if (rdtsc() >= refine_at) refine();
    u64 now = base_ns + scale(rdtsc() - base_tsc, ns_per_tsc);
    if (now > latest) latest = now;
    return latest;
}
