// Counters of known rate: chooses one and reads it together with the TSC. HPET: IA-PC HPET
// specification 1.0a, 2.3; PM timer: ACPI 6.5, 4.8.3.3; PIT: Intel 8254 data sheet.
#include "kernel/cpu/clock.h"

#define HPET_PERIOD     (0x004 / 4) // femtoseconds
#define HPET_CONFIG     (0x010 / 4)
#define HPET_COUNTER    (0x0f0 / 4)
#define HPET_ENABLE     (1u << 0)
#define HPET_PERIOD_MAX 100000000
#define FS_PER_S        1000000000000000

#define PM_TIMER_HZ 3579545

#define PIT_CHANNEL2 0x42
#define PIT_ROUND2   0xb4 // channel 2, both bytes, mode 2: counts down, again and again
#define PIT_LATCH2   0x80
#define PORT_B       0x61
#define PORT_B_GATE2 (1u << 0) // of channel 2; bit 1 connects the speaker
#define PORT_B_KEEP  0x0c      // NMI masks; the upper half is read-only

// The first counter that there is, from a source on: the HPET by its registers (NULL: none), the PM
// timer by its port (0: none), else the PIT. An HPET that the firmware left off is started; one
// without a plausible rate is none. Of the HPET the lower 32 bits are read, which all have, in one
// piece; of the PM timer 24, since not every one that claims 32 has them.
struct reference reference_choose(enum reference_source from, volatile u32 *hpet, u16 pm_timer) {
    u32 period = 0;
    if (hpet) period = hpet[HPET_PERIOD];
    if (from <= REFERENCE_HPET && period && period <= HPET_PERIOD_MAX) {
        if (!(hpet[HPET_CONFIG] & HPET_ENABLE)) hpet[HPET_CONFIG] |= HPET_ENABLE;
        return (struct reference){REFERENCE_HPET, "the HPET", FS_PER_S / period,
                                  1ull << 32,     hpet,       0};
    }
    if (from <= REFERENCE_PM_TIMER && pm_timer)
        return (struct reference){
            REFERENCE_PM_TIMER, "the ACPI PM timer", PM_TIMER_HZ, 1u << 24, NULL, pm_timer};
    return (struct reference){REFERENCE_PIT, "the PIT", PIT_HZ, 1u << 16, NULL, 0};
}

// Lets channel 2 of the PIT go round, with the speaker off, and reads it for the first time.
struct reading pit_start(void) {
    struct reference pit = reference_choose(REFERENCE_PIT, NULL, 0);
    outb(PORT_B, (inb(PORT_B) & PORT_B_KEEP) | PORT_B_GATE2);
    outb(PIT_COMMAND, PIT_ROUND2);
    outb(PIT_CHANNEL2, 0); // 65536
    outb(PIT_CHANNEL2, 0);
    return reference_read(&pit);
}

static u32 reference_count_of(const struct reference *r) {
    if (r->hpet) return r->hpet[HPET_COUNTER];
    if (r->pm_timer) return inl(r->pm_timer);
    outb(PIT_COMMAND, PIT_LATCH2);
    u32 low = inb(PIT_CHANNEL2);
    return -(inb(PIT_CHANNEL2) << 8 | low); // it counts down
}

// Reads the counter and the TSC: the fastest of three tries, since an emulator can stop for
// milliseconds between two instructions.
struct reading reference_read(const struct reference *r) {
    struct reading best = {.gap = UINT64_MAX};
    for (int i = 0; i < 3; i++) {
        u64 before = rdtsc();
        u32 count = reference_count_of(r);
        u64 gap = rdtsc() - before;
        if (gap < best.gap) best = (struct reading){before + gap / 2, count, r->source, gap};
    }
    return best;
}
