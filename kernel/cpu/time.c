// Time from the TSC. Its rate is measured against a reference counter of known rate (ACPI PM timer, else PIT channel
// 2) by two readings that lie apart anyway: the first is taken by time_init(), the second when time is first asked for,
// with a wait only when that is less than half a millisecond later. Later readings refine the rate; the time shown so
// far is kept, so it never jumps. Channel 0 of the PIT (Intel 8254 data sheet) ends sleeps.
#include "kernel/cpu/time.h"
#include "kernel/cpu/trap.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"

#define PM_TIMER_HZ    3579545 // ACPI 6.5, 4.8.3.3
#define NS_PER_S       1000000000ull
#define SLOWEST_TSC_HZ 4000000      // Bochs, when nobody tells it how fast to be; no real CPU comes near
#define WAIT_TSC_MAX   (1ull << 26) // for the reference to move: 10 ms at 6 GHz, 16 s at 4 MHz
#define TURNS_COUNTED  50           // of the reference, by a rate that is right to 1 %: half a turn of error

#define PIT_HZ         1193182
#define PIT_CHANNEL0   0x40
#define PIT_CHANNEL2   0x42
#define PIT_COMMAND    0x43
#define PIT_ONE_SHOT0  0x30 // channel 0, both bytes, mode 0: the line rises when the count is done
#define PIT_ROUND2     0xb4 // channel 2, both bytes, mode 2: counts down, again and again
#define PIT_LATCH2     0x80
#define PIT_LINE       0
#define PIT_LONGEST_NS 54900000
#define PORT_B         0x61
#define PORT_B_GATE2   (1u << 0) // of channel 2; bit 1 connects the speaker
#define PORT_B_KEEP    0x0c      // NMI masks; the upper half is read-only

struct reading {
    u64 tsc;
    u32 reference;
};

static u16 pm_timer; // port; 0: the PIT is the reference
static u64 turn;     // it counts modulo this
static u64 reference_hz;

static struct reading first;
static u64 hz;                // 0: not measured yet
static u64 ns_per_tsc;        // times 2^32
static u64 base_tsc, base_ns; // time = base_ns + (tsc - base_tsc) * ns_per_tsc
static u64 refine_at;         // TSC of the next refinement
static u64 latest;            // largest time given out

u64 tsc(void) { return rdtsc(); }

static u64 scale(u64 ticks, u64 factor) { return (u64)((unsigned __int128)ticks * factor >> 32); }

static u32 reference_read(void) {
    if (pm_timer) return inl(pm_timer);
    outb(PIT_COMMAND, PIT_LATCH2);
    u32 low = inb(PIT_CHANNEL2);
    return -(inb(PIT_CHANNEL2) << 8 | low); // it counts down
}

// The fastest of three: an emulator can stop for milliseconds between two instructions.
static struct reading read_both(void) {
    struct reading best = {0};
    u64 best_gap = UINT64_MAX;
    for (int i = 0; i < 3; i++) {
        u64 before = rdtsc();
        u32 reference = reference_read();
        u64 gap = rdtsc() - before;
        if (gap >= best_gap) continue;
        best_gap = gap;
        best = (struct reading){before + gap / 2, reference};
    }
    return best;
}

// Reference ticks since the first reading: the difference modulo a turn, plus the number of whole turns that brings it
// nearest to what the rate so far says.
static u64 ticks_to(struct reading now) {
    u64 part = (now.reference - first.reference) & (turn - 1);
    u64 expected = hz ? (now.tsc - first.tsc) * reference_hz / hz : part;
    return expected < part ? part : part + (expected - part + turn / 2) / turn * turn;
}

// A PM timer has 24 or 32 bits; 24 are counted, since not every one that claims 32 has them.
static void take_reference(u16 port) {
    pm_timer = port;
    reference_hz = port ? PM_TIMER_HZ : PIT_HZ;
    turn = port ? 1u << 24 : 1u << 16;
    if (!port) { // channel 2 goes round in 65536 ticks, the speaker stays off
        outb(PORT_B, (inb(PORT_B) & PORT_B_KEEP) | PORT_B_GATE2);
        outb(PIT_COMMAND, PIT_ROUND2);
        outb(PIT_CHANNEL2, 0);
        outb(PIT_CHANNEL2, 0);
    }
    first = read_both();
}

void time_init(u16 pm_timer_port) {
    take_reference(pm_timer_port);
    base_tsc = first.tsc;
}

// The rate since the first reading. No overflow: 50 turns are 235 s at most, times 10 GHz times 3.6 MHz < 2^63.
static void set_rate(struct reading now) {
    if (hz) { // what was shown so far stays
        base_ns += scale(now.tsc - base_tsc, ns_per_tsc);
        base_tsc = now.tsc;
    }
    hz = (now.tsc - first.tsc) * reference_hz / ticks_to(now);
    ns_per_tsc = (NS_PER_S << 32) / hz;
}

// For good after two seconds. When the first reading is too long ago to count the turns, it starts anew.
static void refine(void) {
    struct reading now = read_both();
    u64 elapsed = now.tsc - first.tsc;
    if (elapsed > turn * TURNS_COUNTED * hz / reference_hz) {
        first = now;
        refine_at = now.tsc + hz / 8;
    } else {
        set_rate(now);
        refine_at = elapsed < 2 * hz ? first.tsc + 2 * hz : UINT64_MAX;
    }
}

// The first rate, over half a millisecond at least; over all the time since the first reading when the reference cannot
// have turned round since. False when the reference stands still.
static bool measure(void) {
    u64 begin = rdtsc();
    if (begin - first.tsc >= turn * SLOWEST_TSC_HZ / reference_hz) first = read_both();
    for (;;) {
        struct reading now = read_both();
        if (ticks_to(now) >= reference_hz / 2000) {
            set_rate(now);
            refine_at = first.tsc + hz / 8;
            return true;
        }
        if (now.tsc - begin > WAIT_TSC_MAX) return false;
    }
}

static void calibrate(void) {
    bool measured = measure();
    if (!measured && pm_timer) {
        log_error("time: the ACPI PM timer at port %#x stands still: ignored", pm_timer);
        take_reference(0);
        measured = measure();
    }
    if (!measured) unfit("no clock to measure the CPU's speed by: the PIT stands still");
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

void timer_set(u64 deadline_ns) {
    u64 now = time_now_ns(), ns = deadline_ns > now ? deadline_ns - now : 0;
    u64 count = ns < PIT_LONGEST_NS ? ns * PIT_HZ / NS_PER_S + 2 : 0xffff; // 0 would be 65536
    interrupt_set(PIT_LINE, NULL); // first: an IO-APIC forgets the edge of a masked line
    outb(PIT_COMMAND, PIT_ONE_SHOT0);
    outb(PIT_CHANNEL0, (u8)count);
    outb(PIT_CHANNEL0, (u8)(count >> 8));
}
