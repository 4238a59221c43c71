// See reference.h. HPET: IA-PC HPET specification 1.0a, 2.3; PM timer: ACPI 6.5, 4.8.3.3; PIT: Intel 8254 data sheet.
#include "kernel/cpu/reference.h"
#include "kernel/cpu/x86.h"

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

// All HPETs have the lower 32 bits of the counter, and they are read in one piece; the upper ones are not.
bool reference_hpet(volatile u32 *registers, struct reference *reference) {
    u32 period = registers[HPET_PERIOD];
    if (!period || period > HPET_PERIOD_MAX) return false;
    *reference = (struct reference){REFERENCE_HPET, "the HPET", FS_PER_S / period, 1ull << 32, registers, 0};
    if (!(registers[HPET_CONFIG] & HPET_ENABLE)) registers[HPET_CONFIG] |= HPET_ENABLE;
    return true;
}

// A PM timer has 24 or 32 bits; 24 are counted, since not every one that claims 32 has them.
struct reference reference_pm_timer(u16 port) {
    return (struct reference){REFERENCE_PM_TIMER, "the ACPI PM timer", PM_TIMER_HZ, 1u << 24, NULL, port};
}

struct reference reference_pit(void) {
    return (struct reference){REFERENCE_PIT, "the PIT", PIT_HZ, 1u << 16, NULL, 0};
}

struct reading pit_start(void) {
    struct reference pit = reference_pit();
    outb(PORT_B, (inb(PORT_B) & PORT_B_KEEP) | PORT_B_GATE2);
    outb(PIT_COMMAND, PIT_ROUND2);
    outb(PIT_CHANNEL2, 0); // 65536
    outb(PIT_CHANNEL2, 0);
    return reference_read(&pit);
}

static u32 count(const struct reference *reference) {
    if (reference->hpet) return reference->hpet[HPET_COUNTER];
    if (reference->port) return inl(reference->port);
    outb(PIT_COMMAND, PIT_LATCH2);
    u32 low = inb(PIT_CHANNEL2);
    return -(inb(PIT_CHANNEL2) << 8 | low); // it counts down
}

// The fastest of three: an emulator can stop for milliseconds between two instructions.
struct reading reference_read(const struct reference *reference) {
    struct reading best = {.source = reference->source, .gap = UINT64_MAX};
    for (int i = 0; i < 3; i++) {
        u64 before = rdtsc_ordered();
        u32 now = count(reference);
        u64 gap = rdtsc_ordered() - before;
        if (gap >= best.gap) continue;
        best.gap = gap;
        best.tsc = before + gap / 2;
        best.count = now;
    }
    return best;
}
